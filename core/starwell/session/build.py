"""Building a running stack from subs that are safe on disk: the warm-up ring first, then all others."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from starwell.calibration.calibrate import Calibrated
from starwell.errors import StorageError
from starwell.frame import Float32
from starwell.session.ahead import ahead
from starwell.session.cleaning import Cleaner
from starwell.session.intake import Intake, Reader, Reread, Unfit
from starwell.session.members import Members
from starwell.session.registration import Candidate, Registration, Unmatched, register
from starwell.stack.kernels import Kernel
from starwell.stack.ledger import Entry
from starwell.stack.running import RunningStack
from starwell.stack.warmup import start
from starwell.stack.warp import kernel_for
from starwell.threads import Threads


@dataclass(frozen=True, slots=True)
class Method:
    """How subs are combined. kernel: what the warp interpolates with; threads: all cores when None.

    group: of an exact stack, the most subs its first pass needs, and how many are one task of the second.
    """

    kernel: Kernel = Kernel.CUBIC
    reject: bool = True
    threads: int | None = None
    group: int = 128


_Loaded = Calibrated | Unfit | StorageError


class SubLost(StorageError):
    """A sub that was measured cannot be read again."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number

    def __reduce__(self) -> tuple[type[SubLost], tuple[int, str]]:
        return SubLost, (self.number, str(self))


class Builder:
    """Reads subs again, places them on a reference, and stacks them.

    read: reread that can read into a frame's room, where there is such a one.
    """

    def __init__(
        self,
        intake: Intake,
        reread: Reread,
        members: Members,
        method: Method,
        read: Reader | None = None,
    ) -> None:
        self.intake = intake
        self.members = members
        self.method = method
        self.cleaner = Cleaner(intake)
        self._reread = reread
        self._read = read
        self._coming: Generator[tuple[int, _Loaded]] | None = None

    def calibrated(self, number: int) -> Calibrated:
        """A sub that was measured before, calibrated again; SubLost when it cannot be read any more."""
        room = self.intake.room if self._read is not None else None
        calibrated = self._from_ahead(number) or self._loaded(number, self._read, room)
        if isinstance(calibrated, StorageError):
            raise SubLost(number, str(calibrated)) from calibrated
        if isinstance(calibrated, Unfit):
            raise SubLost(number, f"Sub {number} is not what it was: {calibrated.detail}.")
        return self.cleaner.clean(self.members[number], calibrated)

    @contextmanager
    def reading_ahead(self, numbers: Iterable[int], read: Reader) -> Iterator[None]:
        """Meanwhile subs asked for in this order are read and calibrated while the one before is used."""

        def load(number: int, room: Float32) -> tuple[int, _Loaded]:
            return number, self._loaded(number, read, room)

        self._coming = ahead(load, numbers, self.intake.facts.shape)
        try:
            yield
        finally:
            self._coming.close()
            self._coming = None

    def _from_ahead(self, number: int) -> _Loaded | None:
        """The sub, where it is among those that are read ahead; the ones before it are passed over."""
        coming = self._coming or ()
        return next((loaded for which, loaded in coming if which == number), None)

    def _loaded(self, number: int, read: Reader | None = None, room: Float32 | None = None) -> _Loaded:
        try:
            frame = self._reread(number) if read is None else read(number, room)
        except StorageError as error:
            return error
        return self.intake.calibrate(frame, room)

    def empty_stack(self, reference: Candidate) -> RunningStack:
        """A stack in the reference's geometry, without subs."""
        fwhm, planes, method = reference.measured.stars.fwhm_px, self.intake.planes, self.method
        return RunningStack(
            reference.facts.size,
            planes,
            self.intake.model,
            kernel=kernel_for(planes, fwhm, method.kernel),
            fwhm_px=fwhm / planes.output_step,
            reject=method.reject,
            threads=self._threads,
        )

    @property
    def _threads(self) -> int:
        return self.method.threads or os.cpu_count() or 1

    def place_all(self, reference: Candidate) -> None:
        """Find every placed member's place on another reference; who has none is out, with the reason."""
        self.members.set_reference(reference)
        placed = [m for m in self.members.by_number.values() if m.candidate and m.placed is not None]
        candidates = [member.candidate for member in placed if member.candidate]
        places = Threads(self._threads).each(partial(register, reference=reference), candidates)
        for member, place in zip(placed, places, strict=True):
            if isinstance(place, Unmatched):
                member.reason, member.placed = member.reason or place.reason, None
            else:
                member.placed = place

    def begin(
        self, reference: Candidate, first: Sequence[int], others: Sequence[int] | None = None
    ) -> RunningStack:
        """A stack about the median of the subs in first, at most 7, with these others in it.

        The others are all stacked members when None.
        """
        for member in self.members.by_number.values():
            member.entry = None  # of the stack before: what was rejected by hand is judged anew when restored
        stack = self.empty_stack(reference)
        members = dict(self.members.stacked())
        chosen = [number for number in first if number in members]
        if not members:
            return stack
        if len(members) == 1:
            # Nothing to compare it with: its trails go when the stack is begun anew.
            only = next(iter(members))
            self.add(stack, only, self.calibrated(only))
            return stack
        entries = [new_entry(number, members[number].placed) for number in chosen]
        for added in start(stack, entries, self.calibrated, self.intake.spare_room):
            members[added.entry.number].note(added)
        for number in [n for n in members if n not in chosen] if others is None else others:
            self.add(stack, number, self.calibrated(number))
        return stack

    def one_by_one(self, reference: Candidate, numbers: Iterable[int]) -> RunningStack:
        """A stack of these members, each judged by those before it; the first one by none."""
        stack = self.empty_stack(reference)
        for number in numbers:
            self.add(stack, number, self.calibrated(number))
        return stack

    def add(self, stack: RunningStack, number: int, calibrated: Calibrated) -> None:
        """Stack one placed member."""
        member = self.members[number]
        member.note(stack.add(calibrated, new_entry(number, member.placed)))

    def entries(self, numbers: Iterable[int]) -> Iterator[Entry]:
        """What a stack is told of these subs, a group that does not know of others."""
        self.cleaner.forget()
        for number in numbers:
            yield new_entry(number, self.members[number].placed)


def new_entry(number: int, placed: Registration | None) -> Entry:
    """What the stack is told of a sub."""
    if placed is None:
        raise LookupError(f"sub {number} has no place")
    return Entry(number, placed.transform, placed.normalisation, placed.weight)
