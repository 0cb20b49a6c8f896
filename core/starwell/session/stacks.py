"""All running stacks of a night: one per camera, target, filter, exposure, gain, offset, bin and size.

Coming back to a combination resumes its stack. A field that its header does not tell apart gets a stack of
its own only when three subs in a row match each other but not the reference: clouds, dew and trailed subs
never do. That is announced, and `merge` undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from numpy.typing import NDArray

from starwell.errors import PlanError, StorageError
from starwell.frame import Facts, Frame
from starwell.measure.quality import Reason
from starwell.session.combination import Combination
from starwell.session.events import Event, QualityAdvice, SubRejected, SubStacked
from starwell.session.intake import Reread
from starwell.session.pipeline import Pipeline, PipelineState
from starwell.session.plan import MasterPaths
from starwell.session.registration import Candidate, Registration, register

_IN_A_ROW = 3

Arrays = Mapping[str, NDArray[Any]]


@dataclass(slots=True)
class Stack:
    """One of the stacks: its pipeline, its name, and how many subs in a row it had no place for.

    first, masters: what its pipeline was made for and with; None: what the plan names. changes: goes up
    whenever the pipeline may have changed.
    """

    label: str
    combination: Combination
    first: Facts
    pipeline: Pipeline
    lost: list[int] = field(default_factory=list)
    changes: int = 0
    masters: MasterPaths | None = None


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack at rest, without its arrays; masters as JSON, where they are not the plan's."""

    label: str
    combination: Combination
    first: Facts
    pipeline: PipelineState
    lost: tuple[int, ...]
    masters: str = ""


@dataclass(frozen=True, slots=True)
class StacksState:
    """All stacks at rest: where each sub went, and where the next of a combination goes, by label."""

    stacks: tuple[StackState, ...]
    current: tuple[tuple[Combination, str], ...]
    of_number: tuple[tuple[int, str], ...]
    whole: tuple[Combination, ...]
    masters: str = ""


class Stacks:
    """The stacks of a night; make builds the pipeline of a combination from its first sub's facts.

    masters: what stacks to come are made with, given to make as well; None: what make has of its own.
    """

    def __init__(self, make: Callable[..., Pipeline], reread: Reread) -> None:
        self.all: list[Stack] = []
        self.masters: MasterPaths | None = None
        self._make = make
        self._reread = reread
        self._current: dict[Combination, Stack] = {}
        self._of_number: dict[int, Stack] = {}
        self._whole: set[Combination] = set()

    @property
    def latest(self) -> Stack | None:
        """The stack the last sub went to."""
        return next(reversed(self._of_number.values()), None) if self._of_number else None

    def __contains__(self, number: int) -> bool:
        return number in self._of_number

    def feed(self, frame: Frame, *, more: bool = False) -> Iterator[Event]:
        """Take a sub to its stack; MasterError when the masters at hand do not fit it.

        more: others wait, as `Pipeline.feed` says.
        """
        combination = Combination.of(frame.facts)
        stack = self._current.get(combination) or self._new(combination, frame.facts)
        yield from self._feed(stack, frame, more=more)
        if len(stack.lost) >= _IN_A_ROW and combination not in self._whole:
            yield from self._perhaps_another_field(stack)

    def catch_up(self) -> Iterator[Event]:
        """Begin the stacks that were put off because more subs waited."""
        for stack in self.all:
            for event in stack.pipeline.catch_up():
                yield _named(event, stack)

    def finish(self) -> Iterator[Event]:
        """The series is over, for every stack."""
        for stack in self.all:
            stack.changes += 1
            for event in stack.pipeline.finish():
                yield _named(event, stack)

    def reject(self, number: int) -> Iterator[Event]:
        """Take a sub out by hand; PlanError where there is none."""
        stack = self.of(number)
        stack.changes += 1
        for event in stack.pipeline.reject(number):
            yield _named(event, stack)

    def restore(self, number: int) -> Iterator[Event]:
        """Put it back; PlanError where it was not rejected by hand."""
        stack = self.of(number)
        stack.changes += 1
        for event in stack.pipeline.restore(number):
            yield _named(event, stack)

    def check(self, masters: MasterPaths | None) -> None:
        """Raises MasterError, or the StorageError of a file, where these do not fit what is stacked."""
        for stack in self.all:
            self._made(stack.first, masters).close()

    def use(self, masters: MasterPaths) -> Iterator[Event]:
        """Begin other stacks with these masters: subs calibrated one way and another do not mix."""
        self.masters = masters
        self._current.clear()
        advice = "The subs to come are calibrated with other masters, and go to stacks of their own."
        yield QualityAdvice(subject="masters", advice=advice)

    def merge(self) -> Iterator[Event]:
        """Undo the newest split: its subs go back to the stack before it, which splits no more."""
        split = next((s for s in reversed(self.all) if self._before(s) is not None), None)
        if split is None:
            raise PlanError("No stack was begun by itself: there is nothing to merge.")
        before = self._before(split)
        assert before is not None
        self._whole.add(split.combination)
        self._current[split.combination] = before
        self.all.remove(split)
        numbers = [n for n, stack in self._of_number.items() if stack is split]
        split.pipeline.close()
        yield from self._feed_again(before, numbers)
        yield QualityAdvice(
            subject="stack",
            advice=f"{split.label} was given up: its {len(numbers)} subs went back to {before.label}.",
            stack=before.label,
        )

    def of(self, number: int) -> Stack:
        """The stack a sub went to; PlanError for an unknown one."""
        if number not in self._of_number:
            raise PlanError(f"There is no sub {number} in any stack of this night.")
        return self._of_number[number]

    def state(self) -> StacksState:
        """All that a checkpoint needs beside the stacks' arrays; shares its parts with the pipelines."""
        return StacksState(
            tuple(
                StackState(
                    s.label, s.combination, s.first, s.pipeline.state(), tuple(s.lost), _packed(s.masters)
                )
                for s in self.all
            ),
            tuple((combination, stack.label) for combination, stack in self._current.items()),
            tuple((number, stack.label) for number, stack in self._of_number.items()),
            tuple(self._whole),
            _packed(self.masters),
        )

    def resume(self, state: StacksState, arrays_of: Callable[[str], Arrays | None]) -> None:
        """Go on where a checkpoint was taken; arrays_of gives the arrays of the stack of a label.

        Raises FileDamaged where they do not fit, or other masters are in use now; all stacks are empty then.
        """
        self.close()
        try:
            for kept in state.stacks:
                masters = _unpacked(kept.masters)
                made = self._made(kept.first, masters)
                lost = list(kept.lost)
                stack = Stack(kept.label, kept.combination, kept.first, made, lost, masters=masters)
                self.all.append(stack)
                stack.pipeline.resume(kept.pipeline, arrays_of(kept.label))
        except BaseException:
            self.close()
            raise
        known = {stack.label: stack for stack in self.all}
        self._current = {combination: known[label] for combination, label in state.current}
        self._of_number = {number: known[label] for number, label in state.of_number}
        self._whole, self.masters = set(state.whole), _unpacked(state.masters)

    def close(self) -> None:
        """Let all stacks go."""
        for stack in self.all:
            stack.pipeline.close()
        self.all.clear()
        self._current, self._of_number, self._whole = {}, {}, set()

    def _made(self, facts: Facts, masters: MasterPaths | None) -> Pipeline:
        return self._make(facts) if masters is None else self._make(facts, masters)

    def _new(self, combination: Combination, facts: Facts) -> Stack:
        pipeline = self._made(facts, self.masters)
        taken = {stack.label for stack in self.all}
        label, count = combination.label, 1
        while label in taken:
            count += 1
            label = f"{combination.label}-{count}"
        stack = Stack(label, combination, facts, pipeline, masters=self.masters)
        self.all.append(stack)
        self._current[combination] = stack
        return stack

    def _feed(self, stack: Stack, frame: Frame, *, more: bool = False) -> Iterator[Event]:
        number = frame.facts.number
        stack.changes += 1
        self._of_number.pop(number, None)
        self._of_number[number] = stack
        for event in stack.pipeline.feed(frame, more=more):
            if isinstance(event, SubStacked) and event.number == number:
                stack.lost.clear()
            elif isinstance(event, SubRejected) and event.number == number:
                if event.reason == Reason.NO_MATCH:
                    stack.lost.append(number)
                else:
                    stack.lost.clear()
            yield _named(event, stack)

    def _feed_again(self, stack: Stack, numbers: Iterable[int]) -> Iterator[Event]:
        """Take subs to a stack that was not theirs; those that cannot be read any more are left out."""
        for number in numbers:
            stack.pipeline.forget(number)
            try:
                frame = self._reread(number)
            except StorageError as error:
                yield SubRejected(number=number, reason="unreadable", detail=str(error), stack=stack.label)
                del self._of_number[number]
                continue
            yield from self._feed(stack, frame)

    def _perhaps_another_field(self, stack: Stack) -> Iterator[Event]:
        """Three in a row without a place: do they belong to an earlier field, or to a new one?"""
        numbers = stack.lost[-_IN_A_ROW:]
        seen = [stack.pipeline.members[n].candidate for n in numbers]
        last = seen[-1]
        if last is None or not all(c is not None and _matches(c, last) for c in seen):
            return
        known = [s for s in self.all if s.combination == stack.combination and s is not stack]
        home = next((s for s in known if s.pipeline.reference and _matches(last, s.pipeline.reference)), None)
        stack.lost.clear()
        if home is None:
            home = self._new(stack.combination, last.facts)
            yield QualityAdvice(
                subject="stack",
                advice=f"{_IN_A_ROW} subs match each other but not {stack.label}: they show another field "
                f"and begin {home.label}. `starwell merge` undoes this.",
                stack=home.label,
            )
        self._current[stack.combination] = home
        stack.changes += 1
        for number in numbers:
            stack.pipeline.forget(number)
        yield from self._feed_again(home, numbers)

    def _before(self, stack: Stack) -> Stack | None:
        """The first stack of the same combination, when this is not it."""
        first = next(s for s in self.all if s.combination == stack.combination)
        return None if first is stack else first


def _matches(candidate: Candidate, reference: Candidate) -> bool:
    return isinstance(register(candidate, reference), Registration)


def _packed(masters: MasterPaths | None) -> str:
    return "" if masters is None else msgspec.json.encode(masters).decode()


def _unpacked(masters: str) -> MasterPaths | None:
    return msgspec.json.decode(masters, type=MasterPaths) if masters else None


def _named(event: Event, stack: Stack) -> Event:
    return msgspec.structs.replace(event, stack=stack.label)
