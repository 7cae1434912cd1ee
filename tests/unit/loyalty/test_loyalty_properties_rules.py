"""Properties over programmes with every kind of rule, and over a member's whole life by them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.loyalty import loyalty_calendar as calendars
from unit.loyalty import loyalty_cases as cases
from unit.loyalty import loyalty_parsing as parsing
from unit.loyalty.loyalty_wallet import no_history_gains


@pytest.mark.parametrize("one_property", [*cases.PROPERTIES, *calendars.PROPERTIES, *parsing.PROPERTIES])
def test_property(one_property: Callable[[st.DataObject], None]) -> None:
    """Each is stated in its own docstring."""

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        one_property(data)

    holds()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_history_of_a_member_gains_a_point(data: st.DataObject) -> None:
    no_history_gains(data)
