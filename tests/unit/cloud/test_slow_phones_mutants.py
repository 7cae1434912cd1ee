"""For each rule of slow tags, at the cloud and at the till: who breaks it is found out by the test named beside it."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kit.mistakes import Mistake, must_be_caught
from till_agent.desk import bench, digests, finding, slow_tags
from till_agent.journal import outbox
from till_cloud import erasing, founding
from till_cloud.ingest import subjects
from till_cloud.jobs import slow_phones
from till_cloud.store import slow_tags as rows
from till_loyalty.exceptions import InvariantError
from till_sync.phone_tags import PhoneTags
from unit.agent_stores import test_outbox_slow_phones as of_outbox
from unit.cloud import test_founding as of_founding
from unit.cloud import test_slow_phones as of_cloud
from unit.desk import test_desk_slow_tags as of_desk


def at_cloud(test: Callable[..., None], **more: Any) -> Callable[[], None]:
    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            test(Path(folder), **more)

    return run


def with_patches(test: Callable[[pytest.MonkeyPatch], None]) -> Callable[[], None]:
    def run() -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            test(monkeypatch)

    return run


def at_once(test: Callable[[pytest.MonkeyPatch], None]) -> Callable[[], None]:
    """What would wait for a minute does not in a test that is to fail."""

    def run() -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(of_desk, "WAIT_S", 4.0)
            test(monkeypatch)

    return run


MISTAKES = {
    "the cloud forgets what a fast tag became": Mistake(
        rows,
        "slow_of",
        "if tag.startswith(FAST_PHONE) else None",
        "if False else None",
        at_cloud(of_cloud.test_a_till_of_a_former_release_and_a_queue_from_before_name_the_same_members),
    ),
    "a stranger met by both tags stays two members": Mistake(
        slow_phones,
        "_one_person",
        "merge(book, old, into,",
        "str((book, old, into)) and dict(",
        at_cloud(of_cloud.test_one_stranger_met_by_both_kinds_of_tags_is_one_member_soon),
    ),
    "who registered is merged away": Mistake(
        slow_phones,
        "_one_person",
        "(other, account) if mine else (account, other)",
        "(account, other)",
        at_cloud(of_cloud.test_whoever_registered_is_kept_of_the_two, by="fast"),
    ),
    "tills are told too early to record slow tags only": Mistake(
        slow_phones,
        "put",
        "and not slow_tags.waiting(connection, ",
        "or not str(",
        at_cloud(of_cloud.test_a_member_with_points_held_comes_by_once_more),
    ),
    "an erased phone's other tag leaves no mark": Mistake(
        erasing,
        "_every_tag",
        "sorted(tags | fast | slow)",
        "sorted(tags)",
        at_cloud(of_cloud.test_who_was_erased_is_found_by_neither_tag_and_nobody_begins_anew, before=True),
    ),
    "a till does not look for fast tags": Mistake(
        finding.Finder,
        "by_tag",
        "for name in names if",
        "for name in names[:1] if",
        partial(of_desk.test_a_member_is_found_by_whichever_tag_the_cache_has, "phone", of_desk.ONLY, of_desk.FAST),
    ),
    "a till records the fast tag of a stranger": Mistake(
        slow_tags.SlowTags,
        "kept",
        "if self._told().only else tag",
        "if False else tag",
        partial(
            of_desk.test_what_is_recorded_of_an_unknown_phone_is_as_the_chain_says, of_desk.ONLY, of_desk.STRANGER_SLOW
        ),
    ),
    "a till records slow tags that the cloud can't resolve yet": Mistake(
        slow_tags.SlowTags,
        "kept",
        "if self._told().only else tag",
        "if True else tag",
        partial(
            of_desk.test_what_is_recorded_of_an_unknown_phone_is_as_the_chain_says,
            of_desk.MAKING,
            of_desk.STRANGER_FAST,
        ),
    ),
    "a sale from before the switch is another one after it": Mistake(
        digests.Digests,
        "_either_tags",
        'self._tags_of("phone", phone) if',
        'self._tags_of("phone", phone)[:1] if',
        partial(of_desk.test_a_sale_is_answered_as_then_across_a_switch, PhoneTags(), of_desk.ONLY, "phone"),
    ),
    "whoever asks for a phone makes its tag anew": Mistake(
        slow_tags.SlowTags,
        "learn",
        "if (tag, cost) not in self._made:",
        "if True:",
        with_patches(of_desk.test_fifty_who_look_up_at_once_take_turns_and_no_sale_waits_for_them),
    ),
    "all who ask are served at once": Mistake(
        slow_tags.SlowTags,
        "learn",
        "self._sales_turn if of_sale else self._turn",
        "asyncio.Lock()",
        with_patches(of_desk.test_fifty_who_look_up_at_once_take_turns_and_no_sale_waits_for_them),
    ),
    "whoever looks up waits for all before": Mistake(
        slow_tags.SlowTags,
        "learn",
        "patient=of_sale",
        "patient=True",
        at_once(of_desk.test_who_waits_too_long_for_a_turn_is_told_so_and_a_sale_and_its_void_are_not),
    ),
    "a sale is told to try again": Mistake(
        slow_tags.SlowTags,
        "learn",
        "patient=of_sale",
        "patient=False",
        at_once(of_desk.test_who_waits_too_long_for_a_turn_is_told_so_and_a_sale_and_its_void_are_not),
    ),
    "a sale has the threads of the resolver": Mistake(
        slow_tags.SlowTags,
        "learn",
        "aside(",
        "asyncio.to_thread(",
        at_once(of_desk.test_a_sale_waits_for_no_thread_that_looks_up_a_name),
    ),
    "a large receipt has the threads of the resolver": Mistake(
        bench,
        "work",
        "aside(",
        "asyncio.to_thread(",
        at_once(of_desk.test_a_sale_waits_for_no_thread_that_looks_up_a_name),
    ),
    "a chain that is there gets slow tags by an upgrade": Mistake(
        founding,
        "found",
        "if is_new and phone_cost:",
        "if phone_cost:",
        at_cloud(of_founding.test_a_chain_that_is_there_keeps_what_it_has),
    ),
    "a chain whose making was killed is founded in passing": Mistake(
        founding,
        "keep",
        "if not meta.is_founded(connection):",
        "if False:",
        at_cloud(
            of_founding.test_a_chain_whose_making_was_killed_is_made_by_init_alone,
            module="till_cloud.founding",
            name="found",
        ),
    ),
    "an old cloud is sent what it would turn away": Mistake(
        outbox,
        "_protocol",
        "if names_slow_phone(row.body):",
        "if False:",
        of_outbox.test_an_op_that_names_a_slow_tag_is_of_protocol_5,
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_with_slow_tags_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    must_be_caught(MISTAKES[name], monkeypatch, InvariantError)


def test_the_places_are_those_that_are_used() -> None:
    assert subjects.slow_tags is rows
    assert slow_phones.slow_tags is rows
