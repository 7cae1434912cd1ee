"""Wallet codes at the till: which are good here and now, and which were used. Decision: docs/decisions/0021.

A code is for one receipt. Shown for it (a scan, identify, a quote, a hold) it stays good until the member's sale here
uses it up: however often it is named, and though its time is over meanwhile. What sales used is in their ops; with the
member's row the cloud tells it to every till.
"""

from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from till_agent.desk.cloud_time import CloudTime
from till_agent.desk.found import Found
from till_agent.desk.problems import problem
from till_agent.ports import Cache, PendingBalances
from till_loyalty import rotating
from till_loyalty.programme import RotatingCode
from till_loyalty.rotating import Shown
from till_sync import wallet
from till_sync.exceptions import WalletCodeRefused
from till_sync.ports import Clock
from till_sync.wallet import Token
from till_sync.wallet_use import NO_USE, WalletUse

SKEW_MS = 60_000
"""By which this till's idea of the cloud's time may be behind the truth: a month of a quartz clock without a line."""
OPEN_MS = 30 * 60_000
"""How long a receipt may take from the member's code to the sale. A code that was only looked at is as any other after
that, if its own time is not over."""
OPEN_LIMIT = 1_000
"""Receipts under way that are remembered; a till has one, and some that were put by."""

_SAID = {
    wallet.INVALID: "expected a wallet code that the chain's cloud signed",
    wallet.KEY_UNKNOWN: "expected a wallet code by a key that the cloud has told this till of",
    wallet.OTHER_CHAIN: "expected a wallet code of this chain",
    "wallet_expired": "expected a wallet code whose time is not over",
    "wallet_stale": "expected the code that the phone shows now, not one of before",
    "wallet_used": "expected a wallet code that no sale has used",
    "wallet_static": "expected the changing code of the phone's wallet, not the bare number",
}


class _Opened(Struct, frozen=True):
    """A code that was shown and found good, and when (monotonic). `known`: with the member's row, which says what other
    tills saw used; of somebody not known here it counts once more when the cloud has told of them."""

    use: WalletUse
    since_ms: int
    known: bool


class Wallets:
    """Used on the loop; nothing here waits. Of a code's text nothing is kept."""

    def __init__(
        self,
        cache: Cache,
        pending: PendingBalances,
        clock: Clock,
        time: CloudTime,
        *,
        identifier_key: bytes,
        cloud_key: Callable[[], str],
        secrets: Callable[[], tuple[str, ...]],
    ) -> None:
        self._cache = cache
        self._pending = pending
        self._clock = clock
        self._time = time
        self._chain = wallet.chain_mark(identifier_key)
        self._cloud_key = cloud_key
        self._secrets = secrets
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._selling: dict[str, str] = {}
        self.on_trust = 0
        """Codes taken by their proof alone since the start, because nobody could tell the time."""

    @property
    def _rules(self) -> RotatingCode | None:
        programme = self._cache.programme()
        return programme.programme.identifiers.rotating if programme is not None else None

    def reads(self, text: str) -> bool:
        """Whether a text is written as a wallet code, good or not."""
        return text.startswith(wallet.PREFIX) or self.shown(text) is not None

    def shown(self, text: str) -> Shown | None:
        """What a text of the programme's pattern of changing codes says; None for another text."""
        rules = self._rules
        return rotating.read(text, rules) if rules is not None else None

    def token(self, text: str, pointer: str) -> Token:
        """What the cloud signed; DeskProblem wallet_invalid, wallet_other_chain, wallet_key_unknown."""
        try:
            return wallet.decode(text, public_key=self._cloud_key(), chain=self._chain)
        except WalletCodeRefused as exc:
            raise _refused(exc.code, pointer) from None

    def take_token(self, token: Token, found: Found, pointer: str, *, paid: bool = False) -> Found:
        """That a token is good for this receipt, or for one that is `paid` was when it was shown; DeskProblem
        wallet_used, wallet_expired."""
        now_ms = self._time.now_ms()
        over = now_ms is not None and now_ms >= token.expires_at_s * 1000 + SKEW_MS
        use = WalletUse(token=token.counter)
        self._take(use, found, "wallet_expired" if over else "", pointer, timed=now_ms is not None, paid=paid)
        return replace(found, wallet=use)

    def take_shown(self, shown: Shown, found: Found, pointer: str, *, paid: bool = False) -> Found:
        """The same of a changing code; DeskProblem wallet_key_unknown, wallet_invalid, wallet_used, wallet_stale."""
        rules, secrets = self._rules, self._secrets()
        if rules is None or not secrets:
            raise _refused(wallet.KEY_UNKNOWN, pointer)
        began_s = rotating.proved(shown, [bytes.fromhex(each) for each in secrets], rules)
        if not began_s:
            raise _refused(wallet.INVALID, pointer)
        now_ms = self._time.now_ms()
        stale = now_ms is not None and not rotating.is_fresh(began_s, now_ms, rules)
        use = WalletUse(rotating=began_s)
        self._take(use, found, "wallet_stale" if stale else "", pointer, timed=now_ms is not None, paid=paid)
        return replace(found, wallet=use)

    def used(self, found: Found) -> WalletUse:
        """The newest codes that sales used, as far as this till knows: by the member's row, and by own sales since."""
        own = self._used_here(found)
        return own.newest(found.cached.row.facts.wallet) if found.cached is not None else own

    def _used_here(self, found: Found) -> WalletUse:
        """The newest codes that sales of this till used, of those that the member's row does not include yet."""
        cached = found.cached
        return self._pending.facts(found.keys, cached.facts_included if cached is not None else (0, 0)).wallet

    def expect_unused(self, found: Found, pointer: str) -> None:
        """Before points are reserved: shown here in time or not, a code that a sale used elsewhere meanwhile opens
        nobody's account; nobody has paid by it yet. DeskProblem wallet_used."""
        if found.wallet and not found.wallet.is_after(self.used(found)):
            raise _refused("wallet_used", pointer)

    def of_sale(self, found: "Found | None") -> WalletUse:
        """The code that a sale uses up: the one it names, or one shown for its receipt before; none in the usual
        case. One that another till was quicker to use is named too: so the cloud tells staff."""
        if found is None or found.wallet:
            return found.wallet if found is not None else NO_USE
        opened = self._open_for(found)
        return opened.use if opened is not None and opened.use.is_after(self._used_here(found)) else NO_USE

    def begin_sale(self, uid: str, found: "Found | None") -> None:
        """A sale is about to be written: no other here may use its code meanwhile. DeskProblem wallet_used.

        What was shown for the receipt in time stays good whatever another till sold: the customer has paid.
        """
        if found is None or not found.wallet:
            return
        name, opened = found.subject.key, self._open_for(found)
        was_shown = opened is not None and opened.use == found.wallet
        used = self._used_here(found) if was_shown else self.used(found)
        if self._selling.get(name, uid) != uid or not found.wallet.is_after(used):
            raise _refused("wallet_used", "/member")
        self._selling[name] = uid

    def end_sale(self, uid: str, found: "Found | None") -> None:
        """It was written, or could not be."""
        if found is None:
            return
        if self._selling.get(found.subject.key) == uid:
            del self._selling[found.subject.key]
        opened = [key for key in found.keys if key in self._opened]
        if not opened:
            return
        used = self._used_here(found)
        for key in opened:
            if not self._opened[key].use.is_after(used):
                del self._opened[key]

    def _take(self, use: WalletUse, found: Found, over: str, pointer: str, *, timed: bool, paid: bool) -> None:
        opened, known = self._open_for(found), found.cached is not None
        shown_ms = opened.since_ms if opened is not None and opened.use == use else None
        if opened is not None and shown_ms is not None and (paid or opened.known or not known):
            return
        if not use.is_after(self.used(found)):
            self._close(use, found)
            raise _refused("wallet_used", pointer)
        if shown_ms is None:
            if over:
                raise _refused(over, pointer)
            self.on_trust += not timed
            shown_ms = self._clock.mono_ms()
        self._opened[found.subject.key] = _Opened(use, shown_ms, known)
        self._opened.move_to_end(found.subject.key)
        while len(self._opened) > OPEN_LIMIT:
            self._opened.popitem(last=False)

    def _close(self, use: WalletUse, found: Found) -> None:
        """Forget that a code was shown: nobody sells by it."""
        for key in found.keys:
            if key in self._opened and self._opened[key].use == use:
                del self._opened[key]

    def _open_for(self, found: Found) -> _Opened | None:
        """The newest of what was shown under any of a member's names, if it was not long ago."""
        shown = [opened for key in found.keys if (opened := self._opened.get(key)) is not None]
        newest = max(shown, key=lambda opened: opened.since_ms, default=None)
        return newest if newest is not None and self._clock.mono_ms() - newest.since_ms < OPEN_MS else None


def with_card(shown: Shown, card: str) -> Shown:
    """The same code of the card whose digits these are."""
    return replace(shown, card=card)


def refuse_static(pointer: str) -> Exception:
    """The problem of a bare number that is taken from a changing code only."""
    return _refused("wallet_static", pointer)


def _refused(code: str, pointer: str) -> Exception:
    return problem(code, _SAID[code], pointer=pointer)
