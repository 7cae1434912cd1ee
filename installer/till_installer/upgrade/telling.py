"""How a change of version stands and went, for people and for programs."""

from msgspec import Struct

from till_installer.layout import Layout
from till_installer.upgrade.pointers import named
from till_installer.upgrade.record import Records
from till_installer.upgrade.staging import is_whole
from till_sync.heartbeat import UpdateState

RESTS = "the agent rests, as it did before"
"""What the detail of a change that was taken back begins with, where nothing was started at its end."""


class Standing(Struct, frozen=True, kw_only=True):
    """What `tillside upgrade status` says. `under_way` is the step of a change that goes on or was cut off."""

    current: str
    previous: str
    versions: tuple[str, ...]
    under_way: str
    last: UpdateState
    taken_back: dict[str, str]


def standing(layout: Layout) -> Standing:
    """Read from the files: nothing has to run."""
    records = Records(layout)
    marker = records.marker()
    versions = sorted(each.name for each in layout.versions.iterdir()) if layout.versions.is_dir() else []
    return Standing(
        current=named(layout.current),
        previous=named(layout.previous),
        versions=tuple([name for name in versions if is_whole(layout.version_dir(name))]),
        under_way=f"{marker.from_version} to {marker.to_version}: {marker.step}" if marker else "",
        last=records.state(),
        taken_back=records.refused(),
    )


def standing_text(found: Standing) -> str:
    """For a person."""
    lines = [f"version {found.current or 'none'}, before it {found.previous or 'none'}"]
    lines.append(f"here: {', '.join(found.versions) or 'none'}")
    if found.under_way:
        lines.append(f"under way: {found.under_way}; `tillside upgrade watch` finishes it if it was cut off")
    if found.last.stage != "none":
        lines.append(state_text(found.last))
    lines += [f"taken back: {version} ({code}); --again tries it anew" for version, code in found.taken_back.items()]
    return "\n".join(lines)


def state_text(state: UpdateState) -> str:
    """What became of a change, with the proof that nothing was lost."""
    match state.stage:
        case "done":
            head = f"{state.to_version} serves, in place of {state.from_version}"
        case "rolled_back":
            does = "rests" if state.detail.startswith(RESTS) else "serves"
            head = f"{state.from_version} {does}, {state.to_version} was taken back ({state.code})"
        case "refused":
            head = f"{state.to_version or 'the other'} was refused ({state.code}), {state.from_version} goes on"
        case _:
            head = f"{state.to_version}: {state.stage}"
    lines = [head]
    if state.stage in ("done", "rolled_back"):
        equal = "hash equal" if state.queue_hash_equal else "HASH NOT EQUAL"
        lines.append(f"{state.queued_before:,} queued before, {state.queued_after:,} after, {equal}")
    if state.downtime_ms:
        lines.append(f"without a till for {state.downtime_ms / 1000:.1f} s")
    if state.detail:
        lines.append(state.detail)
    return "\n".join(lines)
