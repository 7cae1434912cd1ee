"""For each rule of digests: a desk that breaks it is found out by the test named beside it."""

from functools import partial

import pytest

from kit.mistakes import Mistake, must_be_caught
from till_agent.desk import digests
from unit.desk import test_desk_digests as of_digests

MISTAKES = {
    "former digests are forgotten": Mistake(
        digests.RequestDigest,
        "same",
        "and entry.request_digest not in self.former",
        "",
        partial(of_digests.test_a_repeated_sale_is_answered_as_then_also_one_of_a_former_release, "phone", former=True),
    ),
    "a sale's digest is of the number": Mistake(
        digests.Digests,
        "sale",
        "(*self._unnamed(who), who)",
        "(who,)",
        partial(of_digests.test_a_sales_digest_is_of_the_tag_and_not_of_the_number, "phone"),
    ),
    "a code that is a phone is left in": Mistake(
        digests.Digests,
        "_unnamed",
        '("code", self._either_tags)',
        '("code", lambda text: (text,))',
        partial(of_digests.test_a_sales_digest_is_of_the_tag_and_not_of_the_number, "code that is a phone"),
    ),
    "a registration's digest is of the whole name": Mistake(
        digests.Digests,
        "registration",
        "mask_name(request.name)",
        "request.name",
        of_digests.test_a_registrations_digest_says_no_more_of_a_person_than_its_row,
    ),
    "any request is the same": Mistake(
        digests.RequestDigest,
        "same",
        "entry.request_digest != self.made and",
        "False and",
        partial(of_digests.test_a_repeated_sale_is_answered_as_then_also_one_of_a_former_release, "card", former=False),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_with_digests_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    must_be_caught(MISTAKES[name], monkeypatch)
