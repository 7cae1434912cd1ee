"""Enrolment codes and tokens: one use, a day, five tries; a token is its till's alone."""

import pytest

from till_cloud import enrolment
from till_cloud.auth import authenticate
from till_cloud.enrolment import CODE_LIFE_MS, CODE_TRIES
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.store import tills
from till_sync.wire import EnrolmentAnswer, EnrolmentRequest
from unit.cloud.cloud_kit import Chain, chain


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        made.centre.write(lambda c: tills.add_till(c, "K-01", "s1", 0)).result()
        yield made


def issue(world: Chain, till: str = "K-01") -> str:
    return world.centre.write(lambda c: enrolment.issue_code(c, till, world.wall())).result()


def use(world: Chain, code: str) -> EnrolmentAnswer | RefusedError:
    return world.centre.enrol(EnrolmentRequest(code=code, salt="s")).result()


def code_of(answer: EnrolmentAnswer | RefusedError) -> tuple[int, str]:
    assert isinstance(answer, RefusedError)
    return answer.problem.status, answer.code


def test_a_code_gives_the_identity_of_its_slot(world: Chain) -> None:
    answer = use(world, issue(world))
    assert isinstance(answer, EnrolmentAnswer)
    assert (answer.till, answer.store, answer.store_name, answer.time_zone) == ("K-01", "s1", "First", "Europe/Moscow")
    assert len(bytes.fromhex(answer.identifier_key)) == 32
    row = world.centre.authenticate("K-01", f"Bearer {answer.token}")
    assert row.till == "K-01"


def test_a_code_may_be_typed_in_small_letters_with_spaces_around(world: Chain) -> None:
    slot, letters = issue(world).split(".")
    assert isinstance(use(world, f"  {slot}.{letters.lower()} "), EnrolmentAnswer)


def test_the_database_holds_neither_code_nor_token(world: Chain) -> None:
    code = issue(world)
    token = use(world, code).token
    kept = str(world.rows("SELECT * FROM enrolment_codes")) + str(world.rows("SELECT * FROM tills"))
    assert code.split(".")[1] not in kept
    assert token not in kept


def test_a_code_is_good_for_one_use(world: Chain) -> None:
    code = issue(world)
    use(world, code)
    assert code_of(use(world, code)) == (409, "code_used")


def test_a_code_is_good_for_a_day(world: Chain) -> None:
    code = issue(world)
    world.wall.ms += CODE_LIFE_MS
    assert code_of(use(world, code)) == (403, "code_expired")


def test_five_wrong_tries_lock_a_code(world: Chain) -> None:
    """Counted although each was refused; the right code does not help any more, a new one does."""
    code = issue(world)
    for _ in range(CODE_TRIES):
        assert code_of(use(world, "K-01.AAAA-AAAA-AAAA-AAAA")) == (403, "code_wrong")
    assert code_of(use(world, code)) == (403, "code_locked")
    assert isinstance(use(world, issue(world)), EnrolmentAnswer)


def test_a_new_code_ends_the_old_one(world: Chain) -> None:
    old, new = issue(world), issue(world)
    assert code_of(use(world, old)) == (403, "code_wrong")
    assert isinstance(use(world, new), EnrolmentAnswer)


@pytest.mark.parametrize("code", ["", ".", "K-01", "K-01.", "nobody.AAAA", "K-01." + "A" * 500, "K-01.é", "\x00.a"])
def test_what_is_no_code_is_wrong(world: Chain, code: str) -> None:
    issue(world)
    assert code_of(use(world, code)) == (403, "code_wrong")


def test_a_second_enrolment_ends_the_first_token(world: Chain) -> None:
    """The PC was replaced: the old one, wherever it is, is nobody now."""
    first = use(world, issue(world)).token
    second = use(world, issue(world)).token
    with pytest.raises(RefusedError):
        world.centre.authenticate("K-01", f"Bearer {first}")
    assert world.centre.authenticate("K-01", f"Bearer {second}").till == "K-01"


def test_no_code_for_a_till_that_is_not_there(world: Chain) -> None:
    with pytest.raises(AdminError):
        issue(world, "K-99")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer wrong", "Bearer " + "x" * 500, "Bearer \udce9"]
)
def test_without_its_token_a_till_is_nobody(world: Chain, header: str) -> None:
    use(world, issue(world))
    with pytest.raises(RefusedError) as caught:
        world.centre.authenticate("K-01", header)
    assert (caught.value.problem.status, caught.value.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_token_is_good_for_its_own_till_only(world: Chain) -> None:
    token = use(world, issue(world)).token
    other = world.till("k2")
    for till, used in (("k2", token), ("K-01", other.token), ("nobody", token)):
        with pytest.raises(RefusedError):
            world.centre.authenticate(till, f"Bearer {used}")


def test_a_till_that_never_enrolled_has_no_token(world: Chain) -> None:
    with pytest.raises(RefusedError):
        world.centre.quick(lambda c: authenticate(c, "K-01", "Bearer no till has this token"))


def test_a_machine_that_takes_a_tills_place_learns_its_last_epoch(world: Chain) -> None:
    """Its journal is empty: were it to begin in an epoch that the cloud has, nothing it sells could be sent."""
    first = use(world, issue(world))
    assert isinstance(first, EnrolmentAnswer)
    assert first.last_epoch == 0
    world.centre.write(lambda c: c.execute("UPDATE tills SET epoch = 7 WHERE till = 'K-01'")).result()
    again = use(world, issue(world))
    assert isinstance(again, EnrolmentAnswer)
    assert again.last_epoch == 7
