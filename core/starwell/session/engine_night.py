"""A night's folder while an engine works in it: its journal, its numbers, and the stacks of its lights."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from starwell import __version__
from starwell.config import write_whole
from starwell.errors import PlanError, StorageError
from starwell.frame import Facts, Frame, Kind, sampled
from starwell.session.events import FrameTaken, QualityAdvice
from starwell.session.journal import (
    AnyRecord,
    ClockJumped,
    FrameSaved,
    Journal,
    MastersChosen,
    Opened,
    SettingChanged,
    UserNote,
)
from starwell.session.night_files import Night
from starwell.session.output import Unit
from starwell.session.plan import Plan, named_of
from starwell.session.plan_walk import Step, steps
from starwell.session.resume import Tally, masters_of
from starwell.session.saved_frames import SavedFrames, saved_record, sha256_of
from starwell.session.stack_making import StackMaking
from starwell.session.stacking import Stacking
from starwell.session.telling import Telling

_PLAN = "plan.json"
_JUMP_S = 2.0


class OpenNight:
    """One night of one plan. Opening it takes up what its journal holds; raises StorageError.

    resume: to go on with the plan, not to begin it anew; the stacks go on in both cases. text: the plan as it
    was written, kept as plan.toml. data: where other nights are. live False: nothing is stacked, whatever the
    plan says. done: frames of the plan so far, by Step.series. began: when the plan was begun.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        telling: Telling,
        *,
        resume: bool = False,
        text: str = "",
        data: Path | None = None,
        live: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.night = Night(folder)
        self.plan = plan
        self.lost = 0
        self._publish = telling.publish
        self._now = now
        self._closed = False
        self.night.prepare()
        self.journal = Journal(folder / "journal.jsonl")
        self._numbers = self._numbers_so_far()
        frames = SavedFrames(self.night, self.journal)
        adopted = frames.adopt()
        self.done = Counter(self._done() if resume else {})
        if resume:
            self._assign(adopted)
        set_so_far = [r for r in self._this_plan() if isinstance(r, SettingChanged)] if resume else []
        self._settings = {(record.name, record.series): record for record in set_so_far}
        self.began = self._began(resume)
        self.append(Opened(version=__version__, camera=plan.camera, resumed=resume))
        write_plan(folder, plan, text)
        self._offset_s = self._clock_offset_s()
        self.stacking: Stacking | None = None
        self.had = 0
        if plan.stack.live and live:
            try:
                self._begin_to_stack(telling, frames, data, resume)
            except BaseException:
                self.journal.close()
                raise

    @property
    def tally(self) -> Tally:
        """How many subs are in the stacks, and how many not."""
        tally = self.stacking.tally if self.stacking is not None else Tally()
        return msgspec.structs.replace(tally, unreadable=tally.unreadable + self.lost)

    @property
    def stacks(self) -> int:
        """How many stacks there are, or will be."""
        return len({(s.filter, s.exposure_s, s.gain) for t in self.plan.targets for s in t.series})

    def next_number(self, kind: Kind) -> int:
        """The number of the next frame of this kind."""
        return self._numbers[kind] + 1

    @property
    def settings(self) -> tuple[SettingChanged, ...]:
        """What was set by hand before this engine took the plan up, the last of each."""
        return tuple(self._settings.values())

    def count(self, facts: Facts, series: str) -> None:
        """A frame is on disk."""
        self._numbers[facts.exposure.kind] = facts.number
        self.done[series] += 1

    def keep(self, frame: Frame, series: str) -> None:
        """Enter a frame that is on disk into the journal, tell of it, and have a light stacked."""
        facts, kind = frame.facts, frame.facts.exposure.kind
        record = saved_record(self.night, facts, self._at())
        self.journal.append(msgspec.structs.replace(record, series=series))
        self._publish(
            FrameTaken(
                number=facts.number,
                kind=kind,
                file=record.file,
                seconds=facts.exposure.seconds,
                celsius=facts.sensor_celsius,
                level_adu=float(np.median(sampled(frame.pixels))),
                full_adu=float(facts.saturation_adu),
            )
        )
        if self.stacking is not None and kind is Kind.LIGHT:
            self.stacking.put(facts.number, frame)

    def knows(self, path: Path) -> bool:
        """Whether this very file of somebody else's is a frame of this night already; StorageError."""
        known = [r for r in self.journal.lights.values() if r.file == str(path.absolute())]
        try:
            size = path.stat().st_size
            return bool(known) and known[-1].size == size and sha256_of(path) == known[-1].sha256
        except OSError as error:
            raise StorageError(f"{path} went away: {error.strerror}.") from error

    def append(self, record: AnyRecord) -> None:
        """Note something that the night can do without when there is no room for it, or it is over."""
        if self._closed:
            return
        with contextlib.suppress(StorageError):
            self.journal.append(msgspec.structs.replace(record, at=self._at()))

    def note(self, text: str) -> None:
        """Enter a line of the user's; StorageError."""
        self.journal.append(UserNote(text=text, at=self._at()))

    def watch_clock(self) -> None:
        """Note and tell a wall clock that was set; frames keep their order by their numbers."""
        offset_s = self._clock_offset_s()
        jumped_s = offset_s - self._offset_s
        self._offset_s = offset_s
        if abs(jumped_s) < _JUMP_S:
            return
        self.append(ClockJumped(seconds=round(jumped_s, 3)))
        where = "forwards" if jumped_s > 0 else "back"
        advice = (
            f"The clock was set {abs(jumped_s):.0f} s {where}. Frames keep their order by their numbers; "
            "names and headers of those before it have the old time. `date` shows whether it is right now."
        )
        self._publish(QualityAdvice(subject="clock", advice=advice))

    def close(self) -> None:
        """All is on disk when it returns; subs that wait are stacked when the night is resumed."""
        if self._closed:
            return
        self._closed = True
        if self.stacking is not None:
            self.stacking.close(finish=False)
        self.journal.close()

    def _begin_to_stack(self, telling: Telling, frames: SavedFrames, data: Path | None, resume: bool) -> None:
        make = StackMaking(self.plan, frames, telling.publish, telling.audited)
        unit = Unit(self.plan.stack.unit)
        self.stacking = Stacking(self.night, self.journal, make, telling.publish, unit=unit, data=data)
        self._choose_masters(resume)
        with telling.recalling():
            self.had = self.stacking.resume()
        self.stacking.start()

    def _choose_masters(self, resume: bool) -> None:
        """A plan that is begun in an old night names the masters of what follows, not the night."""
        chosen = masters_of(self.journal.records)
        if not resume and chosen is not None and chosen != self.plan.masters:
            last = max(self.journal.lights, default=0)
            self.append(MastersChosen(masters=named_of(self.plan.masters), after=last))

    def _numbers_so_far(self) -> Counter[Kind]:
        numbers = Counter(self.night.taken())
        for record in self.journal.records:
            if isinstance(record, FrameSaved):
                numbers[record.kind] = max(numbers[record.kind], record.number)
        return numbers

    def _assign(self, adopted: Iterable[int]) -> None:
        """Lights that were written when their line was not: they are the next ones of the plan."""
        for number in adopted:
            record = self.journal.lights[number]
            left = steps(self.plan, dict(self.done))
            step = next((s for s in left if _shows(record, s)), None)
            if step is not None:
                self.done[step.series] += 1
                self.append(msgspec.structs.replace(record, series=step.series))

    def _this_plan(self) -> list[AnyRecord]:
        """The journal since the plan was begun."""
        begun = [i for i, r in enumerate(self.journal.records) if isinstance(r, Opened) and not r.resumed]
        return list(self.journal.records[begun[-1] if begun else 0 :])

    def _done(self) -> Mapping[str, int]:
        frames = {(r.kind, r.number): r.series for r in self._this_plan() if isinstance(r, FrameSaved)}
        return Counter(frames.values())

    def _began(self, resume: bool) -> datetime:
        opened = next((r for r in self._this_plan() if isinstance(r, Opened) and r.at), None)
        return datetime.fromisoformat(opened.at) if resume and opened is not None else self._now()

    def _at(self) -> str:
        return self._now().isoformat(timespec="milliseconds")

    def _clock_offset_s(self) -> float:
        return self._now().timestamp() - time.monotonic()


def _shows(record: FrameSaved, step: Step) -> bool:
    return (record.kind, record.filter) == (step.exposure.kind, step.exposure.filter)


def write_plan(folder: Path, plan: Plan, text: str = "") -> None:
    """Keep the plan in its night, for `--resume`, and as it was written."""
    write_whole(folder / _PLAN, msgspec.json.format(msgspec.json.encode(plan), indent=2))
    if text:
        write_whole(folder / "plan.toml", text.encode())


def plan_of(folder: Path) -> Plan:
    """The plan of a night that is to be resumed; PlanError where there is none."""
    try:
        return msgspec.json.decode((folder / _PLAN).read_bytes(), type=Plan)
    except FileNotFoundError:
        raise PlanError(f"There is no night to resume in {folder}: it holds no {_PLAN}.") from None
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(f"{folder / _PLAN} cannot be read: {error}. Name the plan's own file.") from error
