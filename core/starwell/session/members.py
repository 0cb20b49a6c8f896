"""The subs of one stack: who was measured, where each belongs, who is in and who is not, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell.errors import PlanError
from starwell.frame import Facts
from starwell.session.events import SeriesFinished, SubStacked
from starwell.session.records import Status, SubRecord
from starwell.session.registration import Candidate, Registration
from starwell.stack.ledger import Entry
from starwell.stack.running import Added


@dataclass(slots=True)
class Member:
    """One sub.

    figures are what was measured; entry is what the stack knows of it; isolated (n, 2) the pixels that were
    filled for want of a dark, None before they were looked for. candidate, with its stars and sky, is
    dropped by `slim` once no better reference can come.
    """

    facts: Facts
    candidate: Candidate | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    placed: Registration | None = None
    entry: Entry | None = None
    isolated: NDArray[np.int32] | None = None
    masked_fraction: float = 0.0
    trails: int = 0
    reason: str | None = None
    unreadable: bool = False

    @staticmethod
    def of(candidate: Candidate) -> Member:
        """A measured sub, not placed yet."""
        return Member(candidate.facts, candidate, _figures(candidate))

    def note(self, added: Added) -> None:
        """Remember what the stack did with it."""
        self.entry = added.entry
        self.masked_fraction = added.masked_fraction
        self.trails = len(added.trails)

    def slim(self) -> None:
        """Keep the figures, drop what they were measured from: a thousand subs stay small."""
        self.candidate = None
        if self.placed is not None:
            alignment = replace(self.placed.alignment, pairs=np.empty((0, 2), np.intp))
            self.placed = replace(self.placed, alignment=alignment)

    @property
    def stacked(self) -> bool:
        """Whether it is in the stack, or will be as soon as the stack is built."""
        return self.reason is None and not self.unreadable and self.placed is not None


@dataclass(slots=True)
class Members:
    """All subs of a stack by number, in the order in which they came."""

    by_number: dict[int, Member] = field(default_factory=dict)
    reference_sigma_adu: float | None = None
    reference_sky_adu: float | None = None

    def __getitem__(self, number: int) -> Member:
        return self.by_number[number]

    def __contains__(self, number: int) -> bool:
        return number in self.by_number

    def known(self, number: int) -> Member:
        """The sub of this number; PlanError where there is none."""
        if number not in self.by_number:
            raise PlanError(f"There is no sub {number}; the last one is {max(self.by_number, default=0)}.")
        return self.by_number[number]

    def set_reference(self, reference: Candidate) -> None:
        """Remember what the reference's own noise and sky are, green channel."""
        measured = reference.measured
        channel = len(measured.sigma_adu) // 2
        self.reference_sigma_adu = float(measured.sigma_adu[channel])
        self.reference_sky_adu = float(measured.background.sky_adu[channel])

    def add(self, number: int, member: Member) -> Member:
        """Enter a sub."""
        self.by_number[number] = member
        return member

    def stacked(self) -> Iterator[tuple[int, Member]]:
        """Those in the stack."""
        return ((n, m) for n, m in self.by_number.items() if m.stacked)

    def count(self) -> int:
        """How many are in the stack."""
        return sum(1 for _ in self.stacked())

    def livetime_s(self) -> float | None:
        """Sum of the exposures in the stack; None where one of them is not known."""
        seconds = [m.facts.exposure.seconds for _, m in self.stacked()]
        known = [s for s in seconds if s is not None]
        return sum(known) if len(known) == len(seconds) and known else None

    def effective(self) -> float:
        """(sum w)²/(sum w²): how many equal subs the weighted mean is worth, green channel."""
        weights = np.array([_green(m.placed.weight) for _, m in self.stacked() if m.placed])
        return float(weights.sum() ** 2 / np.square(weights).sum()) if weights.size else 0.0

    def in_order(self) -> None:
        """Sort them by number."""
        self.by_number = dict(sorted(self.by_number.items()))

    def records(self) -> list[SubRecord]:
        """What the report says, in order."""
        return [record(member) for member in self.by_number.values()]


def centre_shift(placed: Registration, facts: Facts) -> tuple[float, float]:
    """How far the centre of the frame moved on the reference, px: what a dither or drift did."""
    height, width = facts.size
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    dx, dy = placed.transform.apply(centre) - centre
    return float(dx), float(dy)


def stacked_event(members: Members, number: int) -> SubStacked:
    """What the screen shows of a stacked sub."""
    member = members[number]
    placed = member.placed
    if placed is None:
        raise LookupError(f"sub {number} has no place in the stack")
    dx, dy = centre_shift(placed, member.facts)
    return SubStacked(
        number=number,
        weight=_green(placed.weight),
        transparency=placed.transparency,
        matched=placed.alignment.matched,
        rms_px=placed.alignment.rms_px,
        dx_px=dx,
        dy_px=dy,
        angle_deg=placed.transform.angle_deg,
        masked_fraction=member.masked_fraction,
        trails=member.trails,
        stacked=members.count(),
        livetime_s=members.livetime_s(),
    )


def finished_event(members: Members) -> SeriesFinished:
    """What became of all subs."""
    stacked, every = members.count(), members.by_number.values()
    unreadable = sum(member.unreadable for member in every)
    return SeriesFinished(
        stacked=stacked,
        rejected=len(every) - stacked - unreadable,
        unreadable=unreadable,
        livetime_s=members.livetime_s(),
    )


def record(member: Member) -> SubRecord:
    """One sub as the report shows it."""
    name = member.facts.source.name if member.facts.source else f"sub {member.facts.number}"
    status = Status.UNREADABLE if member.unreadable else Status.STACKED if member.stacked else Status.REJECTED
    placed = member.placed
    fields = dict(member.figures)
    if placed is not None:
        (a, b, tx), (c, d, ty) = placed.transform.matrix.tolist()
        fields |= {
            "transparency": placed.transparency,
            "matched": placed.alignment.matched,
            "rms_px": placed.alignment.rms_px,
            "transform": ((a, b, tx), (c, d, ty)),
        }
    if placed is not None and member.stacked:
        fields |= {"weight": _green(placed.weight), "masked_fraction": member.masked_fraction}
    return SubRecord(file=name, status=status, reason=member.reason, **fields)


def _figures(candidate: Candidate) -> dict[str, Any]:
    measured = candidate.measured
    channel = len(measured.sigma_adu) // 2
    return {
        "stars": measured.stars.count,
        "fwhm_px": _finite(measured.stars.fwhm_px),
        "eccentricity": _finite(measured.stars.eccentricity),
        "background_adu": _finite(float(measured.background.sky_adu[channel])),
        "sigma_adu": _finite(float(measured.sigma_adu[channel])),
    }


def _green(weights: tuple[float, ...]) -> float:
    return weights[len(weights) // 2]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
