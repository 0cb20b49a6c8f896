"""Who may be stacked, live: every sub is laid on the reference and judged by the gates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from starwell.align.transform import Transform
from starwell.measure.quality import Gates, Reason
from starwell.session.astray import other_field
from starwell.session.events import SubRejected
from starwell.session.members import Members
from starwell.session.registration import Candidate, Unmatched, exposure_ratio, register


@dataclass(slots=True)
class Admission:
    """The first sub that can be a reference is one, until a better is referred to.

    expected: where the newest sub lies that was admitted, to begin with when the next is matched.
    """

    members: Members
    reference: Candidate | None = None
    gates: Gates = field(default_factory=Gates)
    expected: Transform | None = None

    def judge(self, candidate: Candidate) -> SubRejected | None:
        """Place a member and let the gates judge it; None when it may be stacked."""
        number = candidate.number
        reference = self.reference or (candidate if candidate.sharpness > 0 else None)
        if reference is None:
            stars = f"{candidate.measured.stars.count} are too few for a reference"
            reason, detail = self.gates.fault(candidate.measured) or (Reason.TOO_FEW_STARS, stars)
            return self.keep_out(number, reason, detail)
        place = register(candidate, reference, expected=self.expected)
        if isinstance(place, Unmatched):
            # What keeps a sub from matching is often a plainer fault: black, saturated, out of focus.
            reason, detail = self.gates.fault(candidate.measured) or (place.reason, place.detail)
            return self.keep_out(number, reason, detail)
        ratio = exposure_ratio(candidate.facts, reference.facts)
        alignment = None if reference is candidate else place.alignment
        verdict = self.gates.judge(
            candidate.measured, alignment, place.transparency, weight=place.weight, exposure_ratio=ratio
        )
        if not verdict.accepted:
            return self.leave_out(number, verdict.reason or Reason.NO_MATCH, verdict.detail)
        if self.reference is None:
            self.refer_to(reference)
        self.members[number].placed = place
        self.expected = place.transform
        return None

    def refer_to(self, reference: Candidate) -> None:
        """Lay all subs to come on this one."""
        self.reference, self.expected = reference, None
        self.members.set_reference(reference)

    def turn_to_other_field(self) -> Iterator[SubRejected]:
        """Where the first subs showed another field, refer to the later ones and leave the first ones out."""
        found = other_field(self.members)
        if found is None:
            return
        newest, agreeing = found
        for number, member in self.members.by_number.items():
            if member.stacked:
                yield self.leave_out(number, Reason.NO_MATCH, "the first subs show another field")
            member.placed = None
        self.refer_to(newest)
        for number, place in agreeing.items():
            self.members[number].reason, self.members[number].placed = None, place

    def keep_out(self, number: int, reason: Reason, detail: str) -> SubRejected:
        """Refuse a sub that the gates were not asked about, and tell them."""
        self.gates.keep_out(reason, detail)
        return self.leave_out(number, reason, detail)

    def leave_out(self, number: int, reason: Reason, detail: str) -> SubRejected:
        """Note why a sub is not in the stack."""
        self.members[number].reason = reason
        return SubRejected(number=number, reason=reason, detail=detail, alarm=self.gates.alarm is not None)
