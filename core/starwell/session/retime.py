"""Right times for the frames of a night whose clock was wrong: a computer without a battery for its clock.

A jump of the clock in the journal puts right the frames before it, back to where the engine began: what the
clock did before that nobody saw. The time a frame was given first stays in its header as DATE-ORG, and is
what every correction starts from: correcting twice is correcting once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from starwell.errors import PlanError
from starwell.files import dates
from starwell.files.frames import open_facts
from starwell.files.rewriting import rewrite
from starwell.frame import Kind
from starwell.session.journal import AnyRecord, ClockJumped, FrameSaved, Journal, Opened, read
from starwell.session.night_files import Night
from starwell.session.saved_frames import sha256_of

_LEAST_S = 0.5
"""Less than this is how a clock is kept right, not put right."""

_COMMENTS = {"DATE-ORG": "DATE-OBS by a clock that was wrong"}

FrameKey = tuple[Kind, int]


@dataclass(frozen=True, slots=True)
class Correction:
    """One frame's time as it stands, and as it should be; original is what the camera's clock said."""

    path: Path
    key: FrameKey
    original: str
    before: datetime
    after: datetime


def learnt_s(records: Sequence[AnyRecord]) -> dict[FrameKey, float]:
    """By how many seconds each frame's clock was behind; frames it was right for are left out."""
    behind: dict[FrameKey, float] = {}
    since: list[FrameKey] = []
    for record in records:
        match record:
            case Opened():
                since = []
            case FrameSaved(kind=kind, number=number):
                since.append((kind, number))
            case ClockJumped(seconds=seconds):
                for key in since:
                    behind[key] = behind.get(key, 0.0) + seconds
            case _:
                pass
    return {key: seconds for key, seconds in behind.items() if abs(seconds) >= _LEAST_S}


def corrections(night: Night, by_s: float | None = None) -> list[Correction]:
    """What is to be corrected, by the journal or, for all frames alike, by so many seconds.

    Raises PlanError where there is no journal, or none that tells of a jump.
    """
    frames = {(kind, number): path for kind in Kind for number, path in night.frames(kind).items()}
    if by_s is not None:
        return list(_corrected(frames, dict.fromkeys(frames, by_s)))
    journal = journal_path(night)
    if not journal.exists():
        raise PlanError(
            f"{night.folder} holds no journal to learn from: say with --by how far the clock was off."
        )
    behind = learnt_s(read(journal))
    if not behind:
        raise PlanError(
            f"{journal} tells of no jump of the clock that would put frames before it right: say with --by "
            "how far the clock was off."
        )
    return list(_corrected(frames, behind))


def correct(night: Night, wanted: Sequence[Correction]) -> None:
    """Write the headers, each file whole or not at all, and what they became into the journal.

    Raises DiskFull or StorageError; what was corrected by then stays so.
    """
    with Journal(journal_path(night)) as journal:
        entered = {(r.kind, r.number): r for r in journal.records if isinstance(r, FrameSaved)}
        for one in wanted:
            told = {"DATE-OBS": dates.written(one.after), "DATE-ORG": one.original}
            rewrite(one.path, told, _COMMENTS)
            if one.key in entered:
                size, sha256 = one.path.stat().st_size, sha256_of(one.path)
                journal.append(msgspec.structs.replace(entered[one.key], size=size, sha256=sha256))


def journal_path(night: Night) -> Path:
    """journal.jsonl."""
    return night.folder / "journal.jsonl"


def _corrected(frames: dict[FrameKey, Path], behind: dict[FrameKey, float]) -> Iterator[Correction]:
    for key in sorted(frames.keys() & behind.keys()):
        path = frames[key]
        facts = open_facts(path)
        original = str(facts.header.get("DATE-ORG") or facts.header.get("DATE-OBS") or "")
        said = dates.parse(original)
        if said is None or facts.started is None:
            continue
        after = said + timedelta(seconds=behind[key])
        if dates.written(after) != dates.written(facts.started):
            yield Correction(path, key, original, facts.started, after)
