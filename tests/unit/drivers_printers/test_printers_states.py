"""The table of device states, one event per change, and the back-off."""

import pytest

from till_drivers.exceptions import StateError
from till_drivers.states import FIRST_RETRY_MS, LAST_RETRY_MS, TRANSITIONS, Backoff, DeviceState, HealthKeeper
from unit.drivers_printers.printers_kit import FakeClock, Seen


def test_every_state_stands_in_the_table_and_none_leads_to_itself() -> None:
    """The table is whole: a driver can't meet a state that it says nothing about."""
    assert set(TRANSITIONS) == set(DeviceState)
    assert all(state not in following for state, following in TRANSITIONS.items())


def test_every_state_can_be_left_for_disabled_and_reached_from_it() -> None:
    """A device can be stopped in any state, and no state is a dead end or out of reach."""
    assert all(DeviceState.DISABLED in TRANSITIONS[state] for state in DeviceState if state is not DeviceState.DISABLED)
    reached, border = {DeviceState.DISABLED}, {DeviceState.DISABLED}
    while border:
        border = set().union(*(TRANSITIONS[state] for state in border)) - reached
        reached |= border
    assert reached == set(DeviceState)


@pytest.mark.parametrize("state", list(DeviceState))
@pytest.mark.parametrize("following", list(DeviceState))
def test_a_move_is_allowed_exactly_by_the_table(state: DeviceState, following: DeviceState) -> None:
    """A move past the table raises StateError and tells nothing."""
    keeper = HealthKeeper("p", FakeClock())
    for step in _path_to(state):
        keeper.move(step)
    seen = Seen()
    keeper.listen(seen)
    if following is state:
        keeper.move(following)
        assert seen.events == []
    elif following in TRANSITIONS[state]:
        keeper.move(following)
        assert seen.states == [following]
    else:
        with pytest.raises(StateError, match=f"expected one of .* after {state}, not {following}"):
            keeper.move(following)
        assert seen.events == []
        assert keeper.state is state


def test_the_same_state_again_is_told_only_when_its_detail_is_another() -> None:
    """Paper out after cover open is news; paper out twice is not."""
    keeper, seen = HealthKeeper("p", FakeClock()), Seen()
    keeper.listen(seen)
    for state, detail in [
        (DeviceState.OPENING, ""),
        (DeviceState.FAULT, "cover open"),
        (DeviceState.FAULT, "cover open"),
        (DeviceState.FAULT, "paper out"),
    ]:
        keeper.move(state, detail)
    assert [(event.state, event.detail) for event in seen.events] == [
        ("opening", ""),
        ("fault", "cover open"),
        ("fault", "paper out"),
    ]


def test_the_back_off_doubles_from_a_quarter_second_to_five_seconds() -> None:
    """Failures in a row wait 0.25, 0.5, 1, 2, 4, 5, 5 s; success starts anew."""
    clock = FakeClock()
    backoff = Backoff(clock)
    assert backoff.wait_ms == 0
    waits = []
    for _ in range(7):
        backoff.failed()
        waits.append(backoff.wait_ms)
    assert waits == [FIRST_RETRY_MS, 500, 1000, 2000, 4000, LAST_RETRY_MS, LAST_RETRY_MS]
    clock.now += LAST_RETRY_MS - 1
    assert backoff.wait_ms == 1
    clock.now += 1
    assert backoff.wait_ms == 0
    backoff.succeeded()
    backoff.failed()
    assert backoff.wait_ms == FIRST_RETRY_MS


def _path_to(state: DeviceState) -> list[DeviceState]:
    paths: dict[DeviceState, list[DeviceState]] = {DeviceState.DISABLED: []}
    border = [DeviceState.DISABLED]
    while state not in paths:
        here = border.pop(0)
        for following in sorted(TRANSITIONS[here]):
            if following not in paths:
                paths[following] = [*paths[here], following]
                border.append(following)
    return paths[state]
