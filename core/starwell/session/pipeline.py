"""The walk of a sub, live: calibrate, measure, align, judge, stack; each step an event.

The stack is begun anew, from the subs on disk, when better is known: after 7 subs (the reference is then the
best of them, and stays) and once the warm-up ring has seen enough dither positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrated
from starwell.calibration.isolated import IsolatedPixels
from starwell.errors import FileDamaged, PlanError
from starwell.frame import Frame
from starwell.measure.gain import SensorFindings
from starwell.measure.quality import Reason
from starwell.session.admission import Admission
from starwell.session.build import Builder, Method, SubLost
from starwell.session.events import Event, StackMeasured, StackStarted, SubRejected
from starwell.session.intake import Intake, Prepared, Reader, Reread, Unfit
from starwell.session.members import Member, Members, centre_shift, stacked_event
from starwell.session.noise import stack_noise
from starwell.session.registration import Candidate, by_sharpness
from starwell.stack.ring import RING, Ring
from starwell.stack.running import RunningStack

_WARM_UP = 7
_NOISE_EVERY = 8
"""Subs from one measurement of the noise to the next, while more of them wait."""


@dataclass(frozen=True, slots=True, eq=False)
class PipelineState:
    """A pipeline at rest between two subs; made_with: what would make it another stack."""

    made_with: tuple[object, ...]
    admission: Admission
    ring: Ring
    settled: bool
    detector: IsolatedPixels | None
    findings: SensorFindings | None


class Pipeline:
    """One running stack and its subs. Opens no file and starts no thread.

    reread hands out a fed frame again: the warm-up, undo and redo need it. read: the same, where it can read
    into a frame's room; that saves the memory of a raw frame.
    """

    def __init__(
        self, intake: Intake, reread: Reread, method: Method | None = None, *, read: Reader | None = None
    ) -> None:
        self.intake = intake
        self.admission = Admission(Members())
        self.stack: RunningStack | None = None
        self._builder = Builder(intake, reread, self.members, method or Method(), read)
        self._ring = Ring()
        self._settled = False

    @property
    def members(self) -> Members:
        """All subs that were fed."""
        return self.admission.members

    @property
    def reference(self) -> Candidate | None:
        """The sub that all others lie on; None before there is one."""
        return self.admission.reference

    def feed(self, sub: Frame | Prepared | Unfit, *, more: bool = False) -> Iterator[Event]:
        """Take one sub the whole way, or what is left of it where the intake has prepared it.

        more: another one waits. A stack that would soon be begun anew is then not begun, and the noise is
        told of every eighth sub; what the stack is in the end does not depend on it.
        """
        number = sub.facts.number
        if number in self.members:
            raise PlanError(f"Sub {number} has been fed already; every sub needs a number of its own.")
        taken = self.intake.prepare(sub) if isinstance(sub, Frame) else sub
        if isinstance(taken, Unfit):
            self.members.add(number, Member(taken.facts))
            yield self.admission.keep_out(number, taken.reason, taken.detail)
        else:
            with self.intake.working_in(taken.calibrated.pixels):
                yield from self._feed(number, taken, more)
        if not more:
            yield from self.catch_up()

    def catch_up(self) -> Iterator[Event]:
        """Begin the stack where that was put off: as if every sub had been added when it was fed."""
        if self.stack is None and self.members.count():
            yield from self._begin("first subs", self.reference)
            yield from self._noise_event()

    def _feed(self, number: int, sub: Prepared, more: bool) -> Iterator[Event]:
        candidate = self.intake.candidate(sub)
        yield self.intake.measured_event(candidate)
        self.members.add(number, Member.of(candidate))
        refusal = self.admission.judge(candidate)
        if refusal is None:
            yield from self._stack(number, sub.calibrated, more)
            return
        yield refusal
        if refusal.reason == Reason.NO_MATCH:
            yield from self._change_reference_if_astray()
        elif self._settled:
            self.members[number].slim()

    def finish(self) -> Iterator[Event]:
        """The series is over: a night shorter than the warm-up still gets its best stack."""
        count = self.members.count()
        if 1 < count < _WARM_UP:
            yield from self._begin("the series is over")
        noise = self.noise()
        if noise is not None:
            yield noise

    def state(self) -> PipelineState:
        """All that a checkpoint needs beside the stack's arrays; shares its parts with the pipeline."""
        return PipelineState(
            made_with=self._made_with(),
            admission=self.admission,
            ring=self._ring,
            settled=self._settled,
            detector=self._builder.cleaner.detector,
            findings=self.intake.findings,
        )

    def resume(self, state: PipelineState, arrays: Mapping[str, NDArray[Any]] | None) -> None:
        """Go on where a checkpoint was taken; arrays are the stack's, None before there was one.

        Raises FileDamaged where the arrays do not fit, or other masters are in use now.
        """
        if state.made_with != self._made_with():
            raise FileDamaged("The checkpoint was made with other masters or settings. Stack the subs again.")
        self.intake.findings = state.findings
        self.admission, self._ring, self._settled = state.admission, state.ring, state.settled
        self._builder.members, self._builder.cleaner.detector = self.members, state.detector
        if arrays is not None and self.reference is not None:
            self.stack = self._builder.empty_stack(self.reference)
            self.stack.resume(arrays)

    def close(self) -> None:
        """Let go of the stack; the pipeline is of no use any more."""
        self.stack = None

    def _made_with(self) -> tuple[object, ...]:
        method, masters = self._builder.method, self.intake.masters
        return (*sorted(masters.hashes.items()), method.kernel, method.reject, self.intake.planes)

    def noise(self) -> StackMeasured | None:
        """The noise reached so far."""
        return stack_noise(self.stack, self.members, self.intake) if self.stack is not None else None

    def reject(self, number: int) -> Iterator[Event]:
        """Take a sub out of the stack by hand; PlanError for one that is not in it."""
        member = self.members.known(number)
        if not member.stacked:
            raise PlanError(f"Sub {number} is not in the stack ({member.reason}).")
        yield from self.catch_up()
        if self.stack is not None and member.entry is not None:
            member.entry = self.stack.remove(self._builder.calibrated(number), member.entry)
        member.reason = Reason.REJECTED_BY_HAND
        if not self._ring.complete:
            self._ring.withdraw(number)
        yield SubRejected(number=number, reason=member.reason, by_hand=True)
        yield from self._noise_event()

    def restore(self, number: int) -> Iterator[Event]:
        """Put a sub back that was rejected by hand; the stack is then bit for bit what it was.

        Where the stack was begun anew in between, the sub is judged anew. PlanError for a sub that was not
        rejected by hand, or that matches the present reference no more.
        """
        member = self.members.known(number)
        if member.reason != Reason.REJECTED_BY_HAND:
            raise PlanError(f"Sub {number} was not rejected by hand ({member.reason or 'it is stacked'}).")
        if member.placed is None:
            raise PlanError(f"Sub {number} does not match the present reference: it cannot be stacked.")
        if self.stack is not None:
            calibrated = self._builder.calibrated(number)
            if member.entry is not None:
                member.entry = self.stack.restore(calibrated, member.entry)
            else:
                self._builder.add(self.stack, number, calibrated)
        member.reason = None
        yield stacked_event(self.members, number)
        yield from self._noise_event()

    def forget(self, number: int) -> None:
        """Let go of a sub that is not in the stack; PlanError for one that is."""
        if number not in self.members:
            return
        if self.members[number].stacked:
            raise PlanError(f"Sub {number} is in the stack: reject it first.")
        del self.members.by_number[number]

    def _stack(self, number: int, calibrated: Calibrated, more: bool) -> Iterator[Event]:
        member = self.members[number]
        assert member.placed is not None
        was_complete = self._ring.complete
        self._ring.offer(number, centre_shift(member.placed, member.facts))
        count = self.members.count()
        if count >= _WARM_UP and not self._settled:
            yield from self._begin("the best of the first subs")
        elif self.stack is None:
            if more:
                # As if it were stacked now: the next subs are judged by what was found in this one.
                self._builder.cleaner.clean(member, calibrated)
                yield stacked_event(self.members, number)
                return
            yield from self._begin("first subs", self.reference)
        elif self._ring.complete and not was_complete and self._settled:
            yield from self._begin("enough dither positions to tell hot pixels from stars")
        else:
            self._builder.add(self.stack, number, self._builder.cleaner.clean(member, calibrated))
        if not member.stacked:
            if not member.unreadable:
                unlike = "it does not match the better reference"
                yield self.admission.leave_out(number, Reason.NO_MATCH, unlike)
            return
        yield stacked_event(self.members, number)
        if self._settled and self._ring.complete:
            member.slim()
        if not (more and count % _NOISE_EVERY):
            yield from self._noise_event()

    def _begin(self, why: str, reference: Candidate | None = None) -> Iterator[Event]:
        """Build the stack anew from all its members, about the best reference known.

        reference: the one they were fed on; the stack is then what it is when each is added as it is fed.
        Members that cannot be read any more are left out.
        """
        chosen = reference or self._choose_reference()
        self.stack = None  # two do not fit
        while self.stack is None:
            stacked = [number for number, _ in self.members.stacked()]
            first = self._ring.members if self._ring.complete else stacked[:RING]
            try:
                if reference is None:
                    self.stack = self._builder.begin(chosen, first)
                else:
                    self.stack = self._builder.one_by_one(chosen, stacked)
            except SubLost as lost:
                yield self._lost(lost)
        source = chosen.facts.source
        yield StackStarted(reference=chosen.number, file=source.name if source else None, why=why)

    def _choose_reference(self) -> Candidate:
        assert self.reference is not None
        if self._settled:
            return self.reference
        candidates = [m.candidate for _, m in self.members.stacked() if m.candidate is not None]
        chosen = next(iter(by_sharpness(candidates)), self.reference)
        self._settled = len(candidates) >= _WARM_UP
        self.admission.refer_to(chosen)
        self._builder.place_all(chosen)
        self._ring = Ring()
        for number, member in self.members.stacked():
            assert member.placed is not None
            self._ring.offer(number, centre_shift(member.placed, member.facts))
        return chosen

    def _change_reference_if_astray(self) -> Iterator[Event]:
        """Begin anew with the later subs where the first ones showed another field."""
        if self._settled:
            return
        before = self.reference
        yield from self.admission.turn_to_other_field()
        if self.reference is before:
            return
        yield from self._begin("the first subs showed another field")
        for number, _ in self.members.stacked():
            yield stacked_event(self.members, number)

    def _lost(self, lost: SubLost) -> SubRejected:
        member = self.members[lost.number]
        member.unreadable, member.reason = True, str(lost)
        self._ring.withdraw(lost.number)
        return SubRejected(number=lost.number, reason="unreadable", detail=str(lost))

    def _noise_event(self) -> Iterator[Event]:
        noise = self.noise()
        if noise is not None:
            yield noise
