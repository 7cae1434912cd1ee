"""For each rule of wallet codes: a till that breaks it is found out by the test named beside it."""

from functools import partial
from types import ModuleType

import pytest

from kit.mistakes import Mistake, must_be_caught
from till_agent.desk import finding, wallets
from till_agent.journal import changes
from till_loyalty import rotating
from till_sync import keys, wallet, wallet_use
from unit.desk import test_wallet_desk as of_codes
from unit.desk import test_wallet_elsewhere as of_strangers

MISTAKES = {
    "expiry is ignored": Mistake(
        wallets.Wallets,
        "take_token",
        "now_ms >= token.expires_at_s",
        "now_ms >= 10**9 * token.expires_at_s",
        of_codes.test_a_receipt_that_lasts_longer_than_its_code_is_sold_all_the_same,
    ),
    "the counter is ignored": Mistake(
        wallets.Wallets,
        "_take",
        "if not use.is_after(self.used(found)):",
        "if False:",
        of_codes.test_a_code_that_a_sale_used_is_used,
    ),
    "an older counter is good": Mistake(
        wallet_use.WalletUse,
        "is_after",
        "self.token > used.token",
        "self.token != used.token",
        of_codes.test_a_code_that_a_sale_used_is_used,
    ),
    "the signature is ignored": Mistake(
        wallet,
        "decode",
        "if not keys.verify(",
        "if False and not keys.verify(",
        of_codes.test_every_other_fault_of_a_token_has_its_code,
    ),
    "another chain's code is taken for a forged one": Mistake(
        wallet,
        "decode",
        "if token.chain != chain:",
        "if False:",
        of_codes.test_every_other_fault_of_a_token_has_its_code,
    ),
    "the window is ignored": Mistake(
        rotating,
        "is_fresh",
        "return first_ms <= now_ms < last_ms",
        "return True",
        partial(of_codes.test_a_picture_of_the_phone_is_not, 3600),
    ),
    "codes of the future are fresh": Mistake(
        rotating,
        "is_fresh",
        "first_ms <= now_ms < last_ms",
        "now_ms < last_ms",
        partial(of_codes.test_a_picture_of_the_phone_is_not, -200),
    ),
    "the phone's proof is ignored": Mistake(
        rotating,
        "proved",
        "if good else None",
        "",
        of_codes.test_a_code_of_another_secret_or_card_is_not,
    ),
    "a sale's op says nothing of its code": Mistake(
        changes,
        "pack_change",
        "wallet=head.wallet",
        "",
        of_codes.test_own_sales_count_until_the_cloud_has_told_of_them,
    ),
    "what other tills sold is not looked at": Mistake(
        wallets.Wallets,
        "used",
        "own.newest(found.cached.row.facts.wallet)",
        "own",
        of_codes.test_what_other_tills_sold_by_a_code_is_heard_with_the_member,
    ),
    "a receipt is refused its own code": Mistake(
        wallets.Wallets,
        "_open_for",
        "if newest is not None and",
        "if False and",
        of_codes.test_a_receipt_that_lasts_longer_than_its_code_is_sold_all_the_same,
    ),
    "a receipt is open for ever": Mistake(
        wallets.Wallets,
        "_open_for",
        "< OPEN_MS",
        "< 10**15",
        of_codes.test_a_code_that_was_only_looked_at_is_good_no_longer_than_any_other,
    ),
    "two receipts at once use one code": Mistake(
        wallets.Wallets,
        "begin_sale",
        "self._selling[name] = uid",
        "pass",
        of_codes.test_two_receipts_at_once_do_not_both_use_a_code,
    ),
    "a customer who has paid is refused what was shown": Mistake(
        wallets.Wallets,
        "begin_sale",
        "if was_shown else",
        "if False else",
        of_codes.test_a_code_shown_here_is_sold_by_though_another_till_was_quicker,
    ),
    "a code that is used reserves points": Mistake(
        wallets.Wallets,
        "expect_unused",
        "if found.wallet and",
        "if False and",
        of_codes.test_a_code_that_another_till_used_reserves_no_points,
    ),
    "a sale by reference uses no code": Mistake(
        wallets.Wallets,
        "of_sale",
        "if opened is not None and",
        "if False and",
        of_codes.test_a_sale_by_the_reference_of_an_earlier_answer_uses_the_code_that_was_shown,
    ),
    "a stranger's code is not looked at again": Mistake(
        wallets.Wallets,
        "_take",
        "(paid or opened.known or not known)",
        "True",
        partial(of_strangers.test_a_code_that_another_store_used_is_used, "token"),
    ),
    "a refused code stays open": Mistake(
        wallets.Wallets,
        "_close",
        "if key in self._opened and",
        "if False and",
        partial(of_strangers.test_a_code_that_another_store_used_is_used, "rotating"),
    ),
    "who has paid by a stranger's code is refused": Mistake(
        wallets.Wallets,
        "_take",
        "paid or opened.known",
        "opened.known",
        of_strangers.test_a_code_taken_without_a_line_counts_anew_when_the_cloud_says_who_it_is,
    ),
    "a bare number of phones is taken": Mistake(
        finding,
        "_is_bare",
        "return ",
        "return False and ",
        of_codes.test_a_bare_number_is_taken_unless_the_programme_says_phones_only,
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_with_wallet_codes_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    must_be_caught(MISTAKES[name], monkeypatch)


def test_the_mistakes_are_of_modules_that_are_used() -> None:
    """A holder that nobody imports by its module would not be broken at all."""
    assert all(isinstance(each.holder, ModuleType | type) for each in MISTAKES.values())
    assert wallets.wallet is wallet
    assert wallet.keys is keys
