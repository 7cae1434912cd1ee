"""Registrations at the cloud: members found, made, completed and merged by what tills say, and welcome points once."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from till_cloud import confirmations
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.staff import confirm
from till_cloud.store import meta
from till_cloud.verify import verify
from till_loyalty.identifiers import tag
from till_loyalty.programme import Event, Redemption, Registration
from till_loyalty.rule_parts import Life
from till_sync.asking import ConfirmationRequest, HoldRequest
from till_sync.ops import AttachCardBody, RegisterBody, Subject
from unit.cloud.cloud_kit import CLOCK, NOON_MS, Chain, Till, chain, programme

PHONE = "+79161231234"
OTHER_PHONE = "+79161231235"
CARD = f"card:{'c' * 32}"
OTHER_CARD = f"card:{'d' * 32}"
WELCOME = Event(id="welcome", on="registered", points=700, life=Life(expires_after_days=30))
RULES = programme(events=(WELCOME,))


def phone_tag(made: Chain, phone: str = PHONE) -> str:
    return tag(made.centre.read(meta.identifier_key), "phone", phone)


def proven(made: Chain, till: Till, phone: str = PHONE, confirmation: str = "c-1234567890") -> str:
    """A confirmation that the member gave back."""
    request = ConfirmationRequest(
        confirmation=confirmation, purpose="register", tag=phone_tag(made, phone), phone=phone
    )
    code = made.centre.start_confirmation(till.name, request).result().code
    assert code is not None
    assert made.centre.give_code(till.name, confirmation, code.code).result().state == "confirmed"
    return confirmation


def register(made: Chain, till: Till, uid: str = "r-1", phone: str = PHONE, **fields: object) -> RegisterBody:
    """The op of a registration, added to the till's queue."""
    body = RegisterBody(
        **till.common(uid),
        subject=Subject(tag=phone_tag(made, phone)),
        clock=CLOCK,
        programme_id=made.programme.id,
        programme_version=made.programme.version,
        consent_version="1",
        consent_wall_ms=NOON_MS,
    )
    body = msgspec.structs.replace(body, **fields)
    till.add(body)
    return body


def attach(till: Till, uid: str, subject: Subject, card: str) -> None:
    till.add(AttachCardBody(**till.common(uid), subject=subject, card_tag=card, card_masked="**** 0018"))


def member(made: Chain, column: str, member_id: str) -> object:
    return made.rows(f"SELECT {column} FROM members WHERE member_id = ?", member_id)[0][0]


def owner(made: Chain, tag_text: str) -> str:
    return made.rows("SELECT member_id FROM identifiers WHERE tag = ?", tag_text)[0][0]


def flags(made: Chain) -> list[str]:
    return [row[0] for row in made.rows("SELECT code FROM flags ORDER BY code")]


def check(made: Chain) -> None:
    """The ledger adds up."""
    found = made.centre.read(verify)
    assert found.holds, found.breaches


def test_a_proven_registration_makes_an_active_member_with_welcome_points_once(tmp_path: Path) -> None:
    """The same person registered again, under another uid and proof, gets nothing more."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        register(made, till, name="Anna Maria Kim", birth_date="1990-02-29", confirmation=proven(made, till))
        result = till.push().results[0]
        assert (result.status, result.code, result.balance, result.effect_points) == ("applied", "", 700, 0)
        who = result.member_id
        assert member(made, "status", who) == "active"
        assert (member(made, "tier", who), member(made, "member_since", who)) == ("standard", CLOCK.business_date)
        assert (member(made, "name", who), member(made, "name_masked", who)) == ("Anna Maria Kim", "Anna K.")
        assert member(made, "birth_date", who) == "", "1990 had no 29 February"
        assert len(str(member(made, "referral_code", who))) == 8
        assert (member(made, "consent_version", who), member(made, "consent_at_ms", who)) == ("1", NOON_MS)
        register(made, till, "r-2", name="Somebody Else", confirmation=proven(made, till, confirmation="c-0000000002"))
        again = till.push_last()
        assert (again.status, again.code, again.member_id, again.balance) == ("applied", "member_known", who, 700)
        assert member(made, "name", who) == "Anna Maria Kim", "nothing is overwritten"
        assert flags(made) == ["birth_date_invalid"]
        check(made)


def test_two_tills_that_registered_one_phone_offline_made_one_member_with_both_accruals(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        first, second = made.till("k1"), made.till("k2")
        who = phone_tag(made)
        for till in (first, second):
            register(made, till, f"r-{till.name}")
            till.sale(f"s-{till.name}", who)
        results = [*first.push().results, *second.push().results]
        assert {result.member_id for result in results} == {"m-new1"}
        assert [result.code for result in results] == ["", "", "member_known", ""]
        assert made.balances("m-new1") == (2000, 0, 0)
        assert member(made, "status", "m-new1") == "provisional"
        with pytest.raises(RefusedError, match="provisional"):
            made.hold(first, "h-1", "m-new1", 100)
        register(made, second, "r-3", confirmation=proven(made, second))
        assert second.push_last().balance == 2700, "confirmed now, so welcome"
        made.hold(first, "h-1", "m-new1", 100)
        check(made)


def test_a_sale_to_a_number_nobody_knew_is_completed_by_the_registration(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=programme(registration=Registration(code=False))) as made:
        till = made.till()
        till.sale("s-1", phone_tag(made))
        register(made, till, name="Anna")
        sale, registered = till.push().results
        assert registered.member_id == sale.member_id
        assert (registered.code, registered.balance) == ("", 1000)
        assert member(made, "status", sale.member_id) == "active", "this programme asks for no code"
        assert member(made, "purchases", sale.member_id) in (0, 1)


def test_a_card_that_was_nobodys_is_merged_into_the_phones_member_with_its_points(tmp_path: Path) -> None:
    """Sales by an unknown card and by an unknown phone, then both in one registration: one member, both accruals."""
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        till.sale("by-card", CARD)
        till.sale("by-phone", phone_tag(made))
        register(made, till, card_tag=CARD, card_masked="**** 0018")
        by_card, by_phone, registered = till.push().results
        assert registered.member_id == by_phone.member_id != by_card.member_id
        assert (registered.code, registered.balance) == ("", 2000)
        assert owner(made, CARD) == by_phone.member_id
        assert member(made, "status", by_card.member_id) == "removed"
        assert member(made, "merged_into", by_card.member_id) == by_phone.member_id
        assert [row[0] for row in made.rows("SELECT kind FROM movements WHERE kind = 'merge'")] == ["merge", "merge"]
        till.sale("late", by_card.member_id)
        assert till.push_last().member_id == by_phone.member_id, "a till that has not heard of it yet"
        till.take_return("b-1", "by-card")
        till.push_last()
        assert made.balances(by_phone.member_id) == (2000, 0, 0), "what the old member's goods had earned went back"
        assert made.balances(by_card.member_id) == (0, 0, 0)
        check(made)


def test_only_a_card_that_was_nobodys_becomes_the_registered_member(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        till.sale("by-card", CARD)
        register(made, till, card_tag=CARD)
        sale, registered = till.push().results
        assert registered.member_id == sale.member_id
        assert owner(made, phone_tag(made)) == sale.member_id
        check(made)


def test_the_card_of_another_member_stays_theirs_and_is_flagged(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        made.member("m-kim", points=500, tags=(CARD,))
        till = made.till()
        register(made, till, card_tag=CARD, card_masked="**** 0018")
        result = till.push_last()
        assert (result.status, result.code) == ("applied", "card_taken")
        assert result.member_id != "m-kim"
        assert owner(made, CARD) == "m-kim"
        assert member(made, "card_masked", result.member_id) == ""
        assert flags(made) == ["card_taken"]


def test_two_registered_members_are_merged_by_staff_only(tmp_path: Path) -> None:
    """The till's word flags it; the command waits for holds, then moves lots with their lives, debts and facts."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        register(made, till, confirmation=proven(made, till), name="Anna Kim")
        kept = till.push().results[0].member_id
        made.member("m-old", points=500, tags=(CARD,), tier="gold")
        register(made, till, "r-2", card_tag=CARD)
        assert till.push_last().code == "merge_needed"
        assert made.balances("m-old") == (500, 0, 0)
        made.hold(till, "h-1", kept, 50)
        made.hold(till, "h-2", "m-old", 50)
        with pytest.raises(AdminError, match="open holds"):
            made.merge("m-old", kept)
        till.release("h-2")
        till.push_last()
        made.merge("m-old", kept)
        assert made.balances(kept) == (1200, 50, 0)
        assert member(made, "tier", kept) == "gold", "nobody loses standing"
        lives = made.rows("SELECT left, expires_at_ms FROM lots WHERE member_id = ? AND left > 0 ORDER BY lot", kept)
        assert [(left, life is None) for left, life in lives] == [(700, False), (500, True)]
        with pytest.raises(AdminError, match="who is there"):
            made.merge("m-old", kept)
        check(made)


def test_one_person_has_one_first_purchase(tmp_path: Path) -> None:
    """Bought first by an unknown card, then by an unknown phone: the second first purchase goes with the merge."""
    first = Event(id="first", on="first_purchase", points=300)
    with chain(tmp_path / "c.db", rules=programme(events=(first,))) as made:
        till = made.till()
        till.sale("by-card", CARD)
        till.sale("by-phone", phone_tag(made))
        register(made, till, card_tag=CARD)
        results = till.push().results
        assert results[-1].balance == 2300
        assert member(made, "purchases", results[-1].member_id) == 2
        check(made)


def test_a_debt_goes_over_in_a_merge(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        made.member("m-old", tags=(CARD,))
        made.member("m-kept", points=300)
        till.sale("s-1", "m-old")
        till.push()
        made.hold(till, "h-1", "m-old", 1000, sale="s-2")
        till.sale("s-2", "m-old", 100_000, redeem=1000, hold="h-1", rules=made.programme)
        till.take_return("b-2", "s-2", [(1, 1000)])
        till.take_return("b-1", "s-1")
        till.push(2)
        left, _held, debt = made.balances("m-old")
        made.merge("m-old", "m-kept")
        assert made.balances("m-old") == (0, 0, 0)
        after = made.balances("m-kept")
        assert after[0] - after[2] == 300 + left - debt
        check(made)


def test_a_card_is_attached_once_and_never_taken_from_another(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        made.member("m-kim", tags=(OTHER_CARD,))
        made.member("m-ann", points=100)
        till = made.till()
        till.sale("by-card", CARD)
        for number, card in enumerate((CARD, CARD, OTHER_CARD)):
            attach(till, f"a-{number}", Subject(member_id="m-ann"), card)
        results = till.push().results[1:]
        assert [result.code for result in results] == ["", "card_known", "card_taken"]
        assert {result.member_id for result in results} == {"m-ann"}
        assert made.balances("m-ann") == (1100, 0, 0)
        assert (owner(made, CARD), owner(made, OTHER_CARD)) == ("m-ann", "m-kim")
        check(made)


def test_the_friends_code_names_the_referrer_once_and_never_oneself(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till = made.till()
        register(made, till, "r-1")
        first = till.push().results[0].member_id
        code = str(member(made, "referral_code", first))
        register(made, till, "r-2", OTHER_PHONE, referrer=f" {code.lower()[:4]}-{code[4:]}")
        second = till.push_last().member_id
        assert member(made, "referrer", second) == first
        register(made, till, "r-3", PHONE, referrer=str(member(made, "referral_code", second)))
        till.push_last()
        assert member(made, "referrer", first) == "", "registered before, so nobody brought them"
        register(made, till, "r-4", "+79161231236", referrer="NOBODY22")
        till.push_last()
        assert flags(made) == ["referrer_unknown"]


def test_a_confirmation_serves_the_registration_of_its_own_number_and_till_once(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till, other = made.till("k1"), made.till("k2")
        proof = proven(made, till)
        register(made, other, "r-1", confirmation=proof)
        register(made, other, "r-2", OTHER_PHONE, confirmation=proof)
        assert [member(made, "status", result.member_id) for result in other.push().results] == ["provisional"] * 2
        register(made, till, "r-3", confirmation=proof)
        assert member(made, "status", till.push().results[0].member_id) == "active"
        register(made, till, "r-4", confirmation=proof)
        till.push_last()
        assert flags(made) == ["confirmation_unknown", "confirmation_unknown", "confirmation_used"]


def test_a_removed_members_number_can_be_registered_anew(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        made.member("m-gone", points=500, status="removed", tags=(phone_tag(made),))
        till = made.till()
        register(made, till)
        result = till.push_last()
        assert (result.member_id, result.balance, owner(made, phone_tag(made))) == ("m-new1", 0, "m-new1")


def test_a_code_has_five_tries_ten_minutes_and_limits(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as made:
        till = made.till()

        def ask(name: str, phone: str = PHONE, **fields: object) -> confirmations.Started:
            request = ConfirmationRequest(
                confirmation=name, purpose="register", tag=phone_tag(made, phone), phone=phone
            )
            request = msgspec.structs.replace(request, **fields)
            return made.centre.start_confirmation(till.name, request).result()

        def give(name: str, code: str) -> tuple[str, int]:
            answer = made.centre.give_code(till.name, name, code).result()
            return answer.state, answer.tries_left

        code = ask("c-00000001").code
        assert code is not None
        assert len(code.code) == 6
        assert code.code not in repr(code)
        assert PHONE not in repr(code)
        assert ask("c-00000001").code is None, "the same confirmation again sends nothing"
        wrong = f"{(int(code.code) + 1) % 10**6:06}"
        assert [give("c-00000001", wrong) for _ in range(5)] == [
            *(("sent", left) for left in (4, 3, 2, 1)),
            ("spent", 0),
        ]
        assert give("c-00000001", code.code) == ("spent", 0)
        late = ask("c-00000002").code
        assert late is not None
        made.wall.ms += confirmations.CODE_LIFE_MS
        assert give("c-00000002", late.code)[0] == "expired"
        for name in ("c-3", "c-4", "c-5"):
            ask(f"{name}-xxxxxx")
        with pytest.raises(RefusedError) as refused:
            ask("c-6-xxxxxx")
        assert (refused.value.code, refused.value.problem.retryable) == ("too_many_codes", True)
        ask("c-7-xxxxxx", OTHER_PHONE)
        for fields, expected in (
            ({"phone": ""}, "phone_needed"),
            ({"tag": phone_tag(made, OTHER_PHONE)}, "tag_mismatch"),
            ({"purpose": "spend"}, "member_mismatch"),
        ):
            with pytest.raises(RefusedError) as refused:
                ask("c-8-xxxxxx", **fields)
            assert refused.value.code == expected
        with pytest.raises(RefusedError, match="taken"):
            ask("c-7-xxxxxx")
        kept = str(made.rows("SELECT * FROM confirmations"))
        assert code.code not in kept
        assert PHONE[1:] not in kept
        assert hashlib.sha256(code.code.encode()).hexdigest() not in kept, "salted"


def test_a_large_redemption_needs_a_code_that_the_member_gave_back(tmp_path: Path) -> None:
    rules = programme(redemption=Redemption(proof=("code",), proof_above_points=1000))
    with chain(tmp_path / "c.db", rules=rules) as made:
        till = made.till()
        made.member("m-ann", points=5000, tags=(phone_tag(made),))
        made.member("m-kim", points=5000, tags=(phone_tag(made, OTHER_PHONE),))
        made.hold(till, "h-small", "m-ann", 1000)
        proof = proven(made, till)

        def hold(name: str, who: str, confirmation: str = "") -> str:
            request = HoldRequest(
                hold=name, till=till.name, sale_uid="s", member_id=who, points=1001, confirmation=confirmation
            )
            try:
                return made.centre.hold(request).result().hold
            except RefusedError as error:
                return error.code

        assert hold("h-1", "m-ann") == "proof_required"
        assert hold("h-1", "m-kim", proof) == "proof_invalid", "another member's phone"
        assert hold("h-1", "m-ann", "c-nobody-knows") == "proof_invalid"
        assert hold("h-1", "m-ann", proof) == "h-1"
        assert hold("h-1", "m-ann", proof) == "h-1", "the same hold again"
        assert hold("h-2", "m-ann", proof) == "proof_invalid", "it serves once"
        late = proven(made, till, confirmation="c-late-00001")
        made.wall.ms += confirmations.PROOF_LIFE_MS
        assert hold("h-3", "m-ann", late) == "proof_invalid", "said too long ago"


def test_staff_confirm_a_registered_member_by_hand_with_welcome_points_once(tmp_path: Path) -> None:
    """For chains that send no codes; a code that comes later gives nothing more."""
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        register(made, till)
        till.sale("s-1", phone_tag(made))
        who = till.push().results[0].member_id
        with pytest.raises(RefusedError, match="provisional"):
            made.hold(till, "h-1", who, 100)
        before = made.rows("SELECT position FROM balances WHERE member_id = ?", who)
        assert made.centre.write(lambda c: confirm(c, phone_tag(made), made.wall())).result() == 700
        assert (member(made, "status", who), member(made, "confirmed_at_ms", who)) == ("active", made.wall())
        assert made.rows("SELECT position FROM balances WHERE member_id = ?", who) > before, "tills hear of it"
        assert made.balances(who) == (1700, 0, 0)
        made.hold(till, "h-1", who, 100)
        assert made.centre.write(lambda c: confirm(c, who, made.wall())).result() is None
        register(made, till, "r-2", confirmation=proven(made, till))
        assert till.push_last().balance == 1700
        check(made)


def test_staff_can_not_confirm_whom_nobody_registered_or_who_is_blocked(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=RULES) as made:
        till = made.till()
        till.sale("s-1", phone_tag(made))
        who = till.push().results[0].member_id
        with pytest.raises(AdminError, match="registered at a till"):
            made.centre.write(lambda c: confirm(c, who, 1)).result()
        made.centre.write(lambda c: c.execute("UPDATE members SET status = 'blocked'")).result()
        with pytest.raises(AdminError, match="not one who is blocked"):
            made.centre.write(lambda c: confirm(c, who, 1)).result()
