"""A set of subs on disk, stacked exactly: all measured first, then two passes about the best reference."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from math import isfinite

from starwell.errors import NothingStacked, StorageError
from starwell.frame import Facts
from starwell.measure.quality import Gates, Reason, Sample
from starwell.session.build import Builder, Method
from starwell.session.events import Event, StackStarted, SubRejected
from starwell.session.first_pass import first_pass
from starwell.session.intake import Intake, Reader, Unfit
from starwell.session.members import Member, Members, finished_event, stacked_event
from starwell.session.noise import stack_noise
from starwell.session.registration import (
    Candidate,
    Registration,
    Unmatched,
    by_sharpness,
    exposure_ratio,
)
from starwell.session.work import ThisMachine, Work
from starwell.stack.running import Added, RunningStack

_Places = Sequence[Registration | Unmatched]

_TRIED = 5
"""References tried, best first, before the one that matches most subs is taken."""


class ExactRun:
    """One exact stack. After `run`, stack, members and reference are there to be saved.

    reference: the number of the sub to lay all others on; the best one when None. work: who does it, this
    machine when None.
    """

    def __init__(
        self,
        intake: Intake,
        read: Reader,
        numbers: Sequence[int],
        method: Method,
        *,
        reference: int | None = None,
        work: Work | None = None,
    ) -> None:
        self.intake = intake
        self.members = Members()
        self.stack: RunningStack | None = None
        self.reference: Candidate | None = None
        self._wanted = reference
        self._numbers = numbers
        self._work = work or ThisMachine(intake, read, numbers, method)
        self._method = method
        self._builder = Builder(intake, read, self.members, method)

    def run(self) -> Iterator[Event]:
        """Measure, place, stack twice. NothingStacked when no sub can be stacked, and why."""
        yield from self._measure_all()
        reference, places = self._choose_reference()
        self.reference = reference
        yield from self._judge_all(reference, places)
        yield from self._stack_all(reference)

    def _measure_all(self) -> Iterator[Event]:
        for number, sub in zip(self._numbers, self._work.measured(), strict=True):
            if isinstance(sub, StorageError):
                member = self.members.add(number, Member(Facts(shape=(0, 0)), unreadable=True))
                member.reason = str(sub)
                yield SubRejected(number=number, reason="unreadable", detail=str(sub))
            elif isinstance(sub, Unfit):
                self.members.add(number, Member(sub.facts))
                yield self._kept_out(number, sub.reason, sub.detail)
            else:
                candidate = self.intake.candidate(sub)
                self.members.add(number, Member.of(candidate))
                yield self.intake.measured_event(candidate)

    def _candidates(self) -> list[Candidate]:
        return [m.candidate for m in self.members.by_number.values() if m.candidate is not None]

    def _choose_reference(self) -> tuple[Candidate, _Places]:
        """The sub asked for, else the sharpest one that most of the others match; where all lie on it."""
        candidates = self._candidates()
        if self._wanted is not None:
            chosen = next((c for c in candidates if c.number == self._wanted), None)
            if chosen is None or chosen.sharpness == 0:
                reason = self.members[self._wanted].reason or Reason.TOO_FEW_STARS
                raise NothingStacked(f"The reference asked for cannot be one: {reason}. Choose another.")
            return chosen, self._work.placed(candidates, chosen)
        best: tuple[Candidate, _Places] | None = None
        most = 0
        for candidate in by_sharpness(candidates)[:_TRIED]:
            places = self._work.placed(candidates, candidate)
            matches = sum(not isinstance(place, Unmatched) for place in places)
            if matches > most:
                best, most = (candidate, places), matches
            if 2 * matches > len(candidates):
                break
        if best is None:
            raise NothingStacked(self._why_nothing())
        return best

    def _why_nothing(self) -> str:
        total, measured = len(self._numbers), len(self._candidates())
        if measured == 0:
            reasons = sorted({m.reason for m in self.members.by_number.values() if m.reason})
            return f"None of the {total} subs can be stacked: {'; '.join(reasons[:3])}."
        best = max(self._candidates(), key=lambda c: c.measured.stars.count)
        name = best.facts.source.name if best.facts.source else f"sub {best.number}"
        return (
            f"None of the {measured} readable subs shows enough stars to align the others on: the best, "
            f"{name}, has {best.measured.stars.count}, 6 are needed. Clouds, a closed cap or a lost focus "
            "look like this."
        )

    def _judge_all(self, reference: Candidate, places: _Places) -> Iterator[Event]:
        candidates = self._candidates()
        ratios = {c.number: exposure_ratio(c.facts, reference.facts) for c in candidates}
        gates = Gates.of_night([Sample.of(c.measured, ratios[c.number]) for c in candidates])
        self.members.set_reference(reference)
        for candidate, place in zip(candidates, places, strict=True):
            ratio = ratios[candidate.number]
            refusal = self._judge(gates, candidate, place, ratio, is_reference=candidate is reference)
            if refusal is not None:
                yield refusal

    def _judge(
        self,
        gates: Gates,
        candidate: Candidate,
        place: Registration | Unmatched,
        ratio: float,
        *,
        is_reference: bool,
    ) -> SubRejected | None:
        """Enter a sub's place; None when it may be stacked, as the reference always may."""
        number = candidate.number
        if isinstance(place, Unmatched):
            # What keeps a sub from matching is often a plainer fault: black, saturated, out of focus.
            reason, detail = gates.fault(candidate.measured) or (place.reason, place.detail)
            return self._kept_out(number, reason, detail)
        verdict = gates.judge(
            candidate.measured,
            place.alignment,
            place.transparency,
            weight=place.weight,
            exposure_ratio=ratio,
        )
        if verdict.reason is not None and not is_reference:
            return self._kept_out(number, verdict.reason, verdict.detail)
        self.members[number].placed = place
        return None

    def _stack_all(self, reference: Candidate) -> Iterator[Event]:
        source = reference.facts.source
        yield StackStarted(
            reference=reference.number, file=source.name if source else None, why="all subs measured"
        )
        poses = {n: m.placed.transform for n, m in self.members.stacked() if m.placed}
        first = first_pass(poses, reference.facts.size, self._method.group)
        combined = self._work.combined(self._builder, reference, first, list(poses))
        self.stack = yield from self._told(combined)
        noise = stack_noise(self.stack, self.members, self.intake)
        if noise is not None and isfinite(noise.ideal_e):
            yield noise
        yield finished_event(self.members)

    def _told(self, combined: Generator[Added, None, RunningStack]) -> Generator[Event, None, RunningStack]:
        """Note and tell what became of each sub in the last pass."""
        while True:
            try:
                added = next(combined)
            except StopIteration as end:
                stack: RunningStack = end.value
                return stack
            member = self.members[added.entry.number]
            member.note(added)
            member.entry = None  # its masks serve undo, and would grow with the subs
            yield stacked_event(self.members, added.entry.number)

    def _kept_out(self, number: int, reason: Reason, detail: str) -> SubRejected:
        self.members[number].reason = f"{reason}: {detail}" if detail else reason
        return SubRejected(number=number, reason=reason, detail=detail)
