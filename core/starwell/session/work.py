"""The walks through all subs that an exact stack takes, and how one machine takes them."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Protocol

from starwell.errors import PlanError, StorageError
from starwell.session.build import Builder, Method
from starwell.session.first_pass import groups
from starwell.session.intake import Intake, Prepared, Reader, Unfit
from starwell.session.members import Members
from starwell.session.registration import Candidate, Registration, Unmatched, register
from starwell.stack.exact import second_pass
from starwell.stack.ring import RING
from starwell.stack.running import Added, RunningStack
from starwell.stack.sums import MOST_SUBS
from starwell.threads import Threads

_MOST_AT_ONCE = 3
"""Subs measured at a time: each takes the memory of a calibrated frame."""


class Work(Protocol):
    """Who measures, places and combines. What comes out does not depend on it, to the last bit."""

    def measured(self) -> Iterator[Prepared | Unfit | StorageError]:
        """Every sub in its order, calibrated and measured; their pixels are nobody's to use."""

    def placed(
        self, candidates: Sequence[Candidate], reference: Candidate
    ) -> Sequence[Registration | Unmatched]:
        """The place of each on the reference."""

    def combined(
        self, builder: Builder, reference: Candidate, first: Sequence[int], numbers: Sequence[int]
    ) -> Generator[Added, None, RunningStack]:
        """Stack subs `first` about the median of the first 7, then all these about the mean of that.

        Without rejection there is no first pass.
        """


class ThisMachine:
    """All on the threads of this program."""

    def __init__(self, intake: Intake, read: Reader, numbers: Sequence[int], method: Method) -> None:
        self._intake = intake
        self._read = read
        self._numbers = numbers
        self._method = method

    def measured(self) -> Iterator[Prepared | Unfit | StorageError]:
        """Several subs at a time."""
        return self._intake.prepared(self._numbers, self._read, count=at_once(self._method.threads))

    def placed(
        self, candidates: Sequence[Candidate], reference: Candidate
    ) -> Sequence[Registration | Unmatched]:
        """Several at a time."""
        threads = Threads(at_once(self._method.threads))
        return threads.each(partial(register, reference=reference), candidates)

    def combined(
        self, builder: Builder, reference: Candidate, first: Sequence[int], numbers: Sequence[int]
    ) -> Generator[Added, None, RunningStack]:
        """In one stack, the second pass in the memory of the first."""
        method = self._method
        if weighs_much(builder.members, numbers):
            raise PlanError(
                f"{len(numbers)} subs weigh more than {MOST_SUBS} of the reference, the most that fits one "
                "machine's sums. Stack them with --dask; workers on this machine alone will do."
            )
        entries = (e for group in groups(numbers, method.group) for e in builder.entries(group))
        with builder.reading_ahead([*first, *numbers] if method.reject else numbers, self._read):
            if method.reject:
                stack = builder.begin(reference, first[:RING], first[RING:])
                yield from second_pass(stack, entries, builder.calibrated)
            else:
                stack = builder.empty_stack(reference)
                for entry in entries:
                    yield stack.add(builder.calibrated(entry.number), entry)
        return stack


def weighs_much(members: Members, numbers: Sequence[int]) -> bool:
    """Whether these subs are too many for the sums of one stack."""
    weights = [placed.weight for n in numbers if (placed := members[n].placed)]
    most = max((sum(channel) for channel in zip(*weights, strict=True)), default=0.0)
    return max(most, len(weights) / 2) > MOST_SUBS


def at_once(threads: int | None) -> int:
    """How many subs are measured at a time with so many threads, all cores when None."""
    return min(threads or os.cpu_count() or 1, _MOST_AT_ONCE)
