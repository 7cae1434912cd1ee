"""Wallet codes at the till: taken once, for one receipt, however often that receipt names them."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.till import ANNA_CARD, KEY, STRANGER_CARD, STRANGER_TAG, anna, receipt
from till_agent.api import HoldCreate, Identify, SaleRequest
from till_agent.exceptions import DeskProblem
from till_agent.member_api import CardAttach
from till_loyalty import rotating
from till_loyalty.identifiers import tag
from till_sync import wallet
from till_sync.keys import public_of
from till_sync.wallet_use import WalletUse
from unit.desk.wallet_cases import ROTATING, RULES, SECRET, WalletTill, rotating_only

BANK_CARD = "4111111111111111"


def test_one_receipt_names_its_code_as_often_as_it_likes() -> None:
    """Identify, quote, hold, sale, and the sale again because its answer was lost: all are the same receipt."""
    till = WalletTill()
    text = till.token()
    assert [till.identify(text), till.identify(text), till.quote(text), till.quote(text)] == ["m-anna"] * 4
    held = till.run(till.desk.hold(HoldCreate(sale_uid="s1", member=Identify(scan=text), points=100)))
    assert held.points == 100
    assert [till.sell(text), till.sell(text)] == ["sold s1", "sold again s1"]
    assert till.used() == [WalletUse(token=10)]


def test_a_code_that_a_sale_used_is_used() -> None:
    """For whoever photographed it: no other receipt takes it, nor one that is older."""
    till = WalletTill()
    older, text, newer = till.token(9), till.token(10), till.token(11)
    assert till.sell(text) == "sold s1"
    for used in (text, older):
        assert [till.identify(used), till.quote(used), till.sell(used, "s2")] == ["wallet_used"] * 3
    assert till.sell(newer, "s3") == "sold s3"


def test_a_sale_by_the_reference_of_an_earlier_answer_uses_the_code_that_was_shown() -> None:
    """Cash software scans once and goes on by the reference."""
    till = WalletTill()
    text = till.token()
    assert till.sell(till.identify(text)) == "sold s1"
    assert till.used() == [WalletUse(token=10)]
    assert till.identify(text) == "wallet_used"
    assert till.sell("m-anna", "s2") == "sold s2"
    assert till.used()[1] == WalletUse()


def test_a_receipt_that_lasts_longer_than_its_code_is_sold_all_the_same() -> None:
    """The code was good when it was shown; somebody else's time is over."""
    till = WalletTill()
    text, other = till.token(expires_at_s=till.clock.wall // 1000 + 5), till.token(11)
    assert till.identify(text) == "m-anna"
    till.later(20 * 60)
    assert till.sell(text) == "sold s1"
    till.later(3600)
    assert till.identify(other) == "wallet_expired"


def test_a_code_that_was_only_looked_at_is_good_no_longer_than_any_other() -> None:
    till = WalletTill()
    text = till.token(expires_at_s=till.clock.wall // 1000 + 5)
    assert till.identify(text) == "m-anna"
    till.later(31 * 60)
    assert [till.identify(text), till.sell(text)] == ["wallet_expired"] * 2


@pytest.mark.parametrize(("late_s", "answer"), [(0, "m-anna"), (59, "m-anna"), (60, "wallet_expired")])
def test_a_token_is_taken_a_minute_longer_than_it_lasts(late_s: int, answer: str) -> None:
    """By the cloud's time as this till knows it, which may be a little behind."""
    till = WalletTill()
    text = till.token(expires_at_s=till.clock.wall // 1000)
    till.later(late_s)
    assert till.identify(text) == answer


def test_a_till_that_nobody_told_the_time_goes_by_the_signature() -> None:
    """It can't tell old from new; what it has seen used it still refuses, and its status counts such codes."""
    till = WalletTill()
    till.cache.seen = None
    text = till.token(expires_at_s=1)
    assert till.identify(text) == "m-anna"
    assert till.desk.codes_on_trust() == 1
    assert till.sell(text) == "sold s1"
    assert till.identify(text) == "wallet_used"


def test_what_other_tills_sold_by_a_code_is_heard_with_the_member() -> None:
    till = WalletTill()
    till.hear(token=10)
    assert till.identify(till.token(10)) == "wallet_used"
    assert till.identify(till.token(11)) == "m-anna"


def test_a_code_shown_here_is_sold_by_though_another_till_was_quicker() -> None:
    """The customer has paid: the sale is a fact, and the cloud tells staff of it."""
    for by_reference in (False, True):
        till = WalletTill()
        text = till.token(10)
        assert till.identify(text) == "m-anna"
        till.hear(token=10)
        assert till.quote(text) == "m-anna"
        till.journal.broken = True
        assert till.sell(text) == "journal_unavailable"
        till.journal.broken = False
        assert till.sell("m-anna" if by_reference else text) == "sold s1"
        assert till.used() == [WalletUse(token=10)]
        assert [till.identify(text), till.sell(text, "s2")] == ["wallet_used"] * 2
        assert till.sell("m-anna", "s3") == "sold s3"
        assert till.used()[1:] == [WalletUse()]


def test_a_code_that_another_till_used_reserves_no_points() -> None:
    """Nobody has paid yet: whoever shows a picture of it may not spend what its owner has."""
    till = WalletTill()
    text = till.token(10)
    assert till.identify(text) == "m-anna"
    till.hear(token=10)
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.hold(HoldCreate(sale_uid="s1", member=Identify(scan=text), points=100)))
    assert (caught.value.code, caught.value.pointer) == ("wallet_used", "/member")


def test_own_sales_count_until_the_cloud_has_told_of_them() -> None:
    """After a restart too: they are in the journal."""
    till = WalletTill()
    text = till.token()
    assert till.sell(text) == "sold s1"
    till.desk = till.new_desk()
    assert till.identify(text) == "wallet_used"
    till.hear(token=10)
    assert till.identify(text) == "wallet_used"


def test_two_receipts_at_once_do_not_both_use_a_code() -> None:
    till = WalletTill()
    text = till.token()

    async def both() -> list[str]:
        request = SaleRequest(receipt=receipt(10_000), member=Identify(scan=text))
        done = await asyncio.gather(*(till.desk.sell(uid, request) for uid in ("s1", "s2")), return_exceptions=True)
        return [each.code if isinstance(each, DeskProblem) else "sold" for each in done]

    assert sorted(till.run(both())) == ["sold", "wallet_used"]


def test_a_sale_that_could_not_be_written_uses_nothing() -> None:
    till = WalletTill()
    text = till.token()
    till.journal.broken = True
    assert till.sell(text) == "journal_unavailable"
    till.journal.broken = False
    assert till.sell(text, "s2") == "sold s2"


def test_every_other_fault_of_a_token_has_its_code() -> None:
    till = WalletTill()
    strangers = "08" * 32
    assert till.identify(till.token(chain=wallet.chain_mark(b"q" * 32))) == "wallet_other_chain"
    assert till.identify(till.token(private=strangers)) == "wallet_key_unknown"
    assert till.identify(till.token(private=strangers, key=wallet.key_mark(public_of("07" * 32)))) == "wallet_invalid"
    assert till.identify("TSW1.AAAA.BBBB") == "wallet_invalid"


def test_a_member_whom_this_till_does_not_know_is_sold_to() -> None:
    """The cloud signed for them: it knows who they are."""
    till = WalletTill()
    text = till.token(member_id="m-else")
    member = till.run(till.desk.identify(Identify(scan=text)))
    assert (member.reference, member.known) == ("m-else", False)
    assert till.sell(text) == "sold s1"
    assert till.identify(text) == "wallet_used"


def test_the_phones_code_is_taken_while_it_is_shown() -> None:
    till = WalletTill()
    text = till.phone()
    assert [till.identify(text), till.quote(text)] == ["m-anna"] * 2
    till.later(10 * 60)
    assert [till.sell(text), till.sell(text)] == ["sold s1", "sold again s1"]
    assert till.identify(text) == "wallet_used"
    assert till.identify(till.phone(late_s=600)) == "wallet_used"
    assert till.identify(till.phone()) == "m-anna"


@pytest.mark.parametrize("late_s", [200, 3600, -200])
def test_a_picture_of_the_phone_is_not(late_s: int) -> None:
    till = WalletTill()
    text = till.phone(late_s=late_s)
    assert [till.identify(text), till.quote(text), till.sell(text)] == ["wallet_stale"] * 3


def test_a_code_of_another_secret_or_card_is_not() -> None:
    till = WalletTill()
    assert till.identify(till.phone(secret="6b" * 32)) == "wallet_invalid"
    assert till.identify(till.phone().replace(ANNA_CARD, STRANGER_CARD)) == "wallet_invalid"
    till.wallet_keys = ()
    assert till.identify(till.phone()) == "wallet_key_unknown"


def test_the_former_secret_is_good_until_the_cloud_drops_it() -> None:
    till = WalletTill()
    till.wallet_keys = ("6b" * 32, SECRET)
    assert till.identify(till.phone()) == "m-anna"
    till.wallet_keys = ("6b" * 32,)
    till.later(60)
    assert till.identify(till.phone()) == "wallet_invalid"


def test_a_card_that_nobody_has_yet_earns_by_the_phones_code() -> None:
    """Its tag is all that is kept; later the member's row comes, and the code stays used."""
    till = WalletTill()
    text = till.phone(STRANGER_CARD)
    assert till.identify(text) == STRANGER_TAG == tag(KEY, "card", STRANGER_CARD)
    assert till.sell(text) == "sold s1"
    till.know(anna(member_id="m-new", tags=(STRANGER_TAG,)))
    assert till.identify(text) == "wallet_used"


def test_a_bare_number_is_taken_unless_the_programme_says_phones_only() -> None:
    assert WalletTill().identify(ANNA_CARD) == "m-anna"
    till = WalletTill(rotating_only())
    assert [till.identify(ANNA_CARD), till.quote(ANNA_CARD), till.sell(ANNA_CARD)] == ["wallet_static"] * 3
    assert till.identify(till.phone()) == "m-anna"
    assert till.identify(till.token()) == "m-anna"
    assert till.identify("+79161231234") == "m-anna"


def test_a_bank_card_in_the_pattern_is_a_bank_card() -> None:
    till = WalletTill()
    assert till.identify(till.phone(BANK_CARD)) == "bank_card"


def test_nothing_of_a_code_is_kept_or_told() -> None:
    """Neither in the journal, nor in answers, nor in what a problem says."""
    till = WalletTill()
    token, phone = till.token(), till.phone()
    assert till.sell(token) == "sold s1"
    assert till.sell(phone, "s2") == "sold s2"
    kept = b"".join(row.body + row.answer for row in till.journal.entries)
    secrets = [token[5:40], token[-40:], phone[-8:], ANNA_CARD]
    assert [each for each in secrets if each.encode() in kept] == []
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.identify(Identify(scan=token)))
    told = f"{caught.value!r} {caught.value} {caught.value.extras} {caught.value.__cause__!r}"
    assert [each for each in secrets if each in told] == []


def test_every_refusal_has_a_sentence_in_every_language() -> None:
    """Five codes of tokens and phones, and the bare number; each of its own."""
    till = WalletTill()
    codes = ("invalid", "other_chain", "key_unknown", "expired", "stale", "used", "static")
    for language in ("ru", "kk", "ky", "uk", "en"):
        told = {till.desk.sentence(f"wallet_{code}", status=409, language=language) for code in codes}
        assert len(told) == len(codes)


def test_what_is_written_as_a_wallet_code_is_known_for_one() -> None:
    till = WalletTill()
    assert all(till.desk.reads_wallet(text) for text in (till.token(), till.phone(), "TSW1.x"))
    assert not any(till.desk.reads_wallet(text) for text in (ANNA_CARD, "4600682000013", "", "TSV1.x"))
    assert ROTATING.identifiers.rotating is not None


def test_a_code_is_no_card_to_give_to_a_member() -> None:
    """A registration asks for a number: a code is for one receipt."""
    till = WalletTill()
    for text in (till.token(), till.phone(STRANGER_CARD)):
        with pytest.raises(DeskProblem) as caught:
            till.run(till.desk.attach_card("m-anna", CardAttach(uid="a1", card=text)))
        assert caught.value.code == "identifier_invalid"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_text_makes_the_desk_raise_anything_but_its_own_problems(data: st.DataObject) -> None:
    """Neither made-up texts, nor real codes with some characters of them changed; and nobody is found by those."""
    till = WalletTill()
    whole = data.draw(st.sampled_from([till.token(), till.phone()]))
    at = data.draw(st.integers(0, len(whole) - 2))
    changed = whole[:at] + data.draw(st.text(min_size=1, max_size=3)) + whole[at + 1 :]
    for text in (changed, data.draw(st.text(min_size=1, max_size=60)), f"TSW1.{data.draw(st.text(max_size=200))}"):
        try:
            member = till.run(till.desk.identify(Identify(scan=text)))
        except DeskProblem:
            continue
        assert not member.known or text.strip() == ANNA_CARD or says(text) == says(whole)


def says(text: str) -> object:
    """The text itself; of a phone's code, what counts of it: another second of its period says the same."""
    shown = rotating.read(text, RULES)
    return text if shown is None else (shown.card, shown.at_ms // (RULES.period_seconds * 1000), shown.value)
