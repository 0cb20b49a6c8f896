"""A set of subs on disk in one pass: every sub is read once and judged by those before it, as live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starwell.errors import NothingStacked, StorageError
from starwell.frame import Facts
from starwell.session.build import Method
from starwell.session.events import Event, SubRejected
from starwell.session.intake import Intake, Reader
from starwell.session.members import Member, Members, finished_event
from starwell.session.pipeline import Pipeline
from starwell.session.registration import Candidate
from starwell.stack.running import RunningStack


class QuickRun:
    """One running stack. After `run`, stack, members and reference are there to be saved."""

    def __init__(self, intake: Intake, read: Reader, numbers: Sequence[int], method: Method) -> None:
        self.intake = intake
        self._read = read
        self._numbers = numbers
        self._pipeline = Pipeline(intake, read, method, read=read)

    @property
    def stack(self) -> RunningStack | None:
        """What has been stacked."""
        return self._pipeline.stack

    @property
    def members(self) -> Members:
        """All subs."""
        return self._pipeline.members

    @property
    def reference(self) -> Candidate | None:
        """What the others are laid on."""
        return self._pipeline.reference

    def run(self) -> Iterator[Event]:
        """Stack them one after the other. NothingStacked when no sub can be, and why."""
        lost: dict[int, str] = {}
        coming = self.intake.prepared(self._numbers, self._read)
        for number, sub in zip(self._numbers, coming, strict=True):
            if isinstance(sub, StorageError):
                lost[number] = str(sub)
                yield SubRejected(number=number, reason="unreadable", detail=str(sub))
            else:
                yield from self._pipeline.feed(sub, more=True)
        yield from self._pipeline.catch_up()
        yield from self._pipeline.finish()
        for number, fault in lost.items():
            missing = self.members.add(number, Member(Facts(shape=(0, 0), number=number), unreadable=True))
            missing.reason = fault
        self.members.in_order()
        if self.stack is None:
            raise NothingStacked(self._why_nothing())
        yield finished_event(self.members)

    def _why_nothing(self) -> str:
        reasons = sorted({m.reason for m in self.members.by_number.values() if m.reason})
        return f"None of the {len(self._numbers)} subs can be stacked: {'; '.join(reasons[:3])}."
