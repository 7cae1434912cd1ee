"""PINs at the cloud: compared where much is spent, locked after wrong tries, and never kept in clear."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from till_cloud import pins
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.staff import remove_pin, set_pin, unlock_pin
from till_config.main import main
from till_loyalty.programme import Redemption
from till_sync.asking import ConfirmationRequest, HoldRequest
from unit.cloud.cloud_kit import Chain, Till, chain, programme
from unit.cloud.test_registration_cloud import PHONE, phone_tag

PIN = "2580"
OTHER_PIN = "471100"
BY_PIN = programme(redemption=Redemption(proof=("pin",), proof_above_points=1000))
EITHER = programme(redemption=Redemption(proof=("code", "pin"), proof_above_points=1000))


def give_pin(made: Chain, who: str, pin: str = PIN) -> None:
    chosen = pins.new_pin(pin)
    made.centre.write(lambda connection: set_pin(connection, who, chosen, made.wall())).result()


def hold(made: Chain, till: Till, name: str, pin: str = "", *, who: str = "m-ann", **fields: object) -> tuple[str, int]:
    """The hold's name, or why not, and the tries left where that is told (-1: it is not)."""
    wish = {"sale_uid": "s", "points": 1001} | fields
    request = HoldRequest(hold=name, till=till.name, member_id=who, pin=pin, **wish)
    try:
        answer = made.centre.hold(request, made.centre.pin_of(request)).result()
    except RefusedError as error:
        answer = error
    if isinstance(answer, RefusedError):
        return answer.code, answer.problem.extras.get("tries_left", -1)
    return answer.hold, -1


def test_the_right_pin_proves_and_the_same_hold_again_asks_for_none(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=BY_PIN) as made:
        till = made.till()
        made.member("m-ann", points=5000)
        assert hold(made, till, "h-0", points=1000) == ("h-0", -1)
        assert hold(made, till, "h-1") == ("proof_required", -1)
        assert hold(made, till, "h-1", confirmation="c-1234567890") == ("proof_required", -1), (
            "no way of this programme"
        )
        assert hold(made, till, "h-1", PIN) == ("pin_not_set", -1)
        give_pin(made, "m-ann")
        assert hold(made, till, "h-1", PIN) == ("h-1", -1)
        assert hold(made, till, "h-1", "9999") == ("h-1", -1), "it was proven"
        assert made.rows("SELECT tries FROM member_pins") == [(0,)]
        assert hold(made, till, "h-2", PIN, points=9000) == ("insufficient_points", -1)
        assert made.balances("m-ann") == (5000, 2001, 0)


def test_wrong_tries_are_counted_though_nothing_is_reserved_and_a_right_one_forgets_them(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=BY_PIN) as made:
        till = made.till()
        made.member("m-ann", points=5000)
        give_pin(made, "m-ann")
        assert [hold(made, till, f"h-{left}", "1357") for left in (4, 3, 2, 1)] == [
            ("pin_wrong", left) for left in (4, 3, 2, 1)
        ]
        assert made.balances("m-ann") == (5000, 0, 0)
        assert hold(made, till, "h-good", PIN) == ("h-good", -1)
        assert hold(made, till, "h-bad", "1357") == ("pin_wrong", 4)


@pytest.mark.parametrize("way", ["time", "staff", "new"])
def test_five_wrong_tries_lock_it_until_a_day_has_passed_or_staff_unlock_it(tmp_path: Path, way: str) -> None:
    with chain(tmp_path / "c.db", rules=BY_PIN) as made:
        till = made.till()
        made.member("m-ann", points=5000)
        give_pin(made, "m-ann")
        tries = [hold(made, till, f"h-{number}", "1357") for number in range(pins.PIN_TRIES)]
        assert tries[-1] == ("pin_wrong", 0)
        assert hold(made, till, "h-good", PIN) == ("pin_locked", -1)
        made.wall.ms += pins.LOCK_MS - 1
        assert hold(made, till, "h-good", PIN) == ("pin_locked", -1)
        if way == "time":
            made.wall.ms += 1
            assert hold(made, till, "h-bad", "1357") == ("pin_wrong", 4), "all tries anew"
        elif way == "staff":
            assert made.centre.write(lambda c: unlock_pin(c, "m-ann", made.wall())).result() is True
            assert made.centre.write(lambda c: unlock_pin(c, "m-ann", made.wall())).result() is False
        else:
            give_pin(made, "m-ann", OTHER_PIN)
            assert hold(made, till, "h-old", PIN) == ("pin_wrong", 4)
        assert hold(made, till, "h-good", OTHER_PIN if way == "new" else PIN) == ("h-good", -1)


def test_guesses_hashed_at_once_are_counted_one_by_one(tmp_path: Path) -> None:
    """Whoever guesses at ten tills together gets five tries in all; one hashed before a change is wrong."""
    with chain(tmp_path / "c.db", rules=BY_PIN) as made:
        till = made.till()
        made.member("m-ann", points=5000)
        give_pin(made, "m-ann")

        def asked(number: int, pin: str) -> HoldRequest:
            return HoldRequest(
                hold=f"h-{number}", till=till.name, sale_uid="s", member_id="m-ann", points=1001, pin=pin
            )

        wishes = [asked(number, f"{1357 + number}") for number in range(9)] + [asked(9, PIN)]
        hashed = [made.centre.pin_of(wish) for wish in wishes]
        answers = [made.centre.hold(wish, pin) for wish, pin in zip(wishes, hashed, strict=True)]
        wrong = [answer.result() for answer in answers[: pins.PIN_TRIES]]
        assert all(isinstance(each, RefusedError) and each.code == "pin_wrong" for each in wrong)
        for answer in answers[pins.PIN_TRIES :]:
            with pytest.raises(RefusedError, match="locked"):
                answer.result()
        give_pin(made, "m-ann")
        stale = made.centre.hold(asked(20, PIN), hashed[-1]).result()
        assert isinstance(stale, RefusedError)
        assert stale.code == "pin_wrong", "under another salt"


def test_a_code_or_a_pin_proves_where_the_programme_takes_either(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=EITHER) as made:
        till = made.till()
        made.member("m-ann", points=5000, tags=(phone_tag(made),))
        give_pin(made, phone_tag(made))
        name = "c-1234567890"
        request = ConfirmationRequest(
            confirmation=name, purpose="spend", tag=phone_tag(made), phone=PHONE, member_id="m-ann"
        )
        code = made.centre.start_confirmation(till.name, request).result().code
        assert code is not None
        made.centre.give_code(till.name, name, code.code).result()
        assert hold(made, till, "h-code", confirmation=name) == ("h-code", -1)
        assert hold(made, till, "h-pin", PIN) == ("h-pin", -1)
        assert hold(made, till, "h-none") == ("proof_required", -1)


def test_a_merge_keeps_the_pin_of_the_one_kept_and_no_other(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=BY_PIN) as made:
        till = made.till()
        for who, pin in (("m-old", OTHER_PIN), ("m-ann", PIN)):
            made.member(who, points=5000)
            give_pin(made, who, pin)

        made.merge("m-old", "m-ann")
        assert made.rows("SELECT member_id FROM member_pins") == [("m-ann",)]
        assert hold(made, till, "h-1", OTHER_PIN) == ("pin_wrong", 4)
        assert hold(made, till, "h-1", PIN) == ("h-1", -1)
        assert made.centre.write(lambda c: remove_pin(c, "m-old", made.wall())).result() is True, "follows the merge"


def test_pins_that_anybody_would_try_first_are_not_taken() -> None:
    for pin in ("1111", "00000000", "1234", "4321", "34567", "7890", "0987", "123", "123456789", "12a4", "", "١٢٣٥"):
        with pytest.raises(AdminError):
            pins.new_pin(pin)
    for pin in ("1122", "2580", "13579135"):
        made = pins.new_pin(pin)
        assert repr(made) == "HashedPin()"
        assert pins.new_pin(pin).pin_scrypt != made.pin_scrypt, "salted"


def test_staff_set_unlock_and_remove_a_pin_that_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with chain(path, rules=BY_PIN) as made:
        made.member("m-ann", points=5000)

    def staff(*words: str, keyed: str = "", ends: int = 0) -> str:
        result = CliRunner().invoke(main, ("cloud", "member", "pin", "m-ann", "--db", str(path), *words), input=keyed)
        assert result.exit_code == ends, result.output
        return result.output

    keyed = "90351746"
    told = staff(keyed=f"{keyed}\n{keyed}\n")
    assert "has a new PIN" in told
    assert keyed not in told
    assert not [each for each in tmp_path.iterdir() if keyed.encode() in each.read_bytes()]
    assert "harder to guess" in staff(keyed="1234\n1234\n", ends=1)
    assert "was not locked" in staff("--unlock")
    assert "not both" in staff("--unlock", "--remove", ends=2)
    assert "has no PIN any more" in staff("--remove")
    assert "had no PIN" in staff("--remove")
    assert "expected a member who has a PIN" in staff("--unlock", ends=1)
