"""A set of subs on disk, stacked exactly: all measured first, then two passes about the best reference."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from math import isfinite

from starwell.errors import NothingStacked, StorageError
from starwell.frame import Facts
from starwell.measure.quality import Gates, Reason, Sample
from starwell.session.build import Builder, Method, new_entry
from starwell.session.events import Event, SeriesFinished, StackStarted, SubRejected
from starwell.session.intake import Intake, Reader, Unfit
from starwell.session.members import Member, Members, stacked_event
from starwell.session.noise import stack_noise
from starwell.session.registration import (
    Candidate,
    Unmatched,
    by_sharpness,
    exposure_ratio,
    register,
)
from starwell.stack.exact import second_pass
from starwell.stack.ring import RING
from starwell.stack.running import RunningStack

_MOST_AT_ONCE = 3
"""Subs measured at a time: each takes the memory of a calibrated frame."""

_TRIED = 5
"""References tried, best first, before the one that matches most subs is taken."""


class ExactRun:
    """One exact stack. After `run`, stack, members and reference are there to be saved.

    reference: the number of the sub to lay all others on; the best one when None.
    """

    def __init__(
        self,
        intake: Intake,
        read: Reader,
        numbers: Sequence[int],
        method: Method,
        *,
        reference: int | None = None,
    ) -> None:
        self.intake = intake
        self.members = Members()
        self.stack: RunningStack | None = None
        self.reference: Candidate | None = None
        self._wanted = reference
        self._numbers = numbers
        self._read = read
        self._method = method
        self._builder = Builder(intake, read, self.members, method)

    def run(self) -> Iterator[Event]:
        """Measure, place, stack twice. NothingStacked when no sub can be stacked, and why."""
        yield from self._measure_all()
        reference = self._choose_reference()
        self.reference = reference
        yield from self._judge_all(reference)
        yield from self._stack_all(reference)

    def _measure_all(self) -> Iterator[Event]:
        threads = min(self._method.threads or os.cpu_count() or 1, _MOST_AT_ONCE)
        made = self.intake.prepared(self._numbers, self._read, threads=threads)
        for number, sub in zip(self._numbers, made, strict=True):
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

    def _choose_reference(self) -> Candidate:
        """The sub asked for, else the sharpest one that most of the others match."""
        candidates = self._candidates()
        if self._wanted is not None:
            chosen = next((c for c in candidates if c.number == self._wanted), None)
            if chosen is None or chosen.sharpness == 0:
                reason = self.members[self._wanted].reason or Reason.TOO_FEW_STARS
                raise NothingStacked(f"The reference asked for cannot be one: {reason}. Choose another.")
            return chosen
        best: Candidate | None = None
        most = 0
        for candidate in by_sharpness(candidates)[:_TRIED]:
            matches = sum(not isinstance(register(c, candidate), Unmatched) for c in candidates)
            if matches > most:
                best, most = candidate, matches
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

    def _judge_all(self, reference: Candidate) -> Iterator[Event]:
        candidates = self._candidates()
        ratios = {c.number: exposure_ratio(c.facts, reference.facts) for c in candidates}
        gates = Gates.of_night([Sample.of(c.measured, ratios[c.number]) for c in candidates])
        self.members.set_reference(reference)
        for candidate in candidates:
            refusal = self._judge(gates, candidate, reference, ratios[candidate.number])
            if refusal is not None:
                yield refusal

    def _judge(
        self, gates: Gates, candidate: Candidate, reference: Candidate, ratio: float
    ) -> SubRejected | None:
        """Place one sub; None when it may be stacked, as the reference always may."""
        number, place = candidate.number, register(candidate, reference)
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
        if verdict.reason is not None and candidate is not reference:
            return self._kept_out(number, verdict.reason, verdict.detail)
        self.members[number].placed = place
        return None

    def _stack_all(self, reference: Candidate) -> Iterator[Event]:
        source = reference.facts.source
        yield StackStarted(
            reference=reference.number, file=source.name if source else None, why="all subs measured"
        )
        members = dict(self.members.stacked())
        first = spread(list(members))
        order = [*first, *(n for n in members if n not in first), *members]
        with self._builder.reading_ahead(order, self._read):
            self.stack = self._builder.begin(reference, first)
            if self._method.reject:
                yield from self._stack_again(self.stack, members)
        if not self._method.reject:
            for number in members:
                yield stacked_event(self.members, number)
        noise = stack_noise(self.stack, self.members, self.intake)
        if noise is not None and isfinite(noise.ideal_e):
            yield noise
        yield self._finished()

    def _stack_again(self, stack: RunningStack, members: dict[int, Member]) -> Iterator[Event]:
        """The second pass."""
        entries = [new_entry(number, member.placed) for number, member in members.items()]
        for added in second_pass(stack, entries, self._builder.calibrated):
            members[added.entry.number].note(added)
            yield stacked_event(self.members, added.entry.number)

    def _finished(self) -> SeriesFinished:
        members = self.members.by_number.values()
        unreadable = sum(m.unreadable for m in members)
        stacked = self.members.count()
        return SeriesFinished(
            stacked=stacked,
            rejected=len(members) - stacked - unreadable,
            unreadable=unreadable,
            livetime_s=self.members.livetime_s(),
        )

    def _kept_out(self, number: int, reason: Reason, detail: str) -> SubRejected:
        self.members[number].reason = f"{reason}: {detail}" if detail else reason
        return SubRejected(number=number, reason=reason, detail=detail)


def spread(numbers: Sequence[int]) -> list[int]:
    """Up to 7 of the subs, evenly over the night: what drift or dither moves is in the fewest of them."""
    count = min(RING, len(numbers))
    return [numbers[round(i * (len(numbers) - 1) / max(count - 1, 1))] for i in range(count)]
