"""The series as they run, in paragraphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.style import Style

from starwell.remote.messages import Status
from starwell.session.events import State
from starwell_tui.night import Night
from starwell_tui.panes.pane import LABEL, PLAIN, duration
from starwell_tui.theme import ACCENT, style

Paragraph = tuple[str, Style]


def running(night: Night) -> list[Paragraph]:
    """What is taken, how far it is, and when it ends."""
    status = night.status
    if status is None:
        return [("Nothing runs.", LABEL)]
    return [*_at_hand(status), ("", PLAIN), *_counts(status), ("", PLAIN), *_rest(status)]


def _at_hand(status: Status) -> Iterator[Paragraph]:
    what = " ".join(
        word
        for word in (
            status.target or "",
            status.filter or "",
            f"{status.seconds:g} s" if status.seconds else "",
            f"gain {status.gain:g}" if status.gain is not None else "",
            f"bin {status.bin}" if status.bin else "",
        )
        if word
    )
    yield what or status.camera, style(ACCENT, bold=True)
    yield f"{status.state.value}{f': {status.why}' if status.why else ''}", PLAIN
    if status.state is State.PAUSED:
        yield "space: start", style(ACCENT)


def _counts(status: Status) -> Iterator[Paragraph]:
    if status.frames:
        done = status.frame - (status.exposed_s is not None)
        left = max(status.frames - done, 0)
        yield f"{done} of {status.frames} frames taken, {left} left", PLAIN
    yield (
        f"{status.stacked} stacked, {status.rejected} rejected, {duration(status.livetime_s)} of light",
        PLAIN,
    )
    for name, count in on_disk(status.folder).items():
        yield f"  {name:<12} {count} on disk", LABEL


def _rest(status: Status) -> Iterator[Paragraph]:
    if status.ends:
        yield f"Ends       {status.ends}", PLAIN
    if status.masters:
        yield f"Masters    {status.masters}", PLAIN
    yield f"Folder     {status.folder}", LABEL


def on_disk(folder: str) -> dict[str, int]:
    """Lights by filter, and frames for masters, as files."""
    counts: dict[str, int] = {}
    if not folder:
        return counts
    for kind in ("lights", "darks", "flats", "biases", "darkflats"):
        for path in Path(folder, kind).rglob("*.fits"):
            if not path.name.startswith("."):
                name = path.parent.name if path.parent.name != kind else kind
                counts[name] = counts.get(name, 0) + 1
    return counts
