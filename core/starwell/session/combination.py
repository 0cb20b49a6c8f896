"""What subs must have in common to be stacked together, and what their stack is called."""

from __future__ import annotations

from dataclasses import dataclass

from starwell.frame import Facts
from starwell.session.night_files import safe

_LONGEST_LABEL = 48


@dataclass(frozen=True, slots=True)
class Combination:
    """What subs must have in common to be stacked together."""

    camera: str | None
    target: str | None
    filter: str | None
    seconds: float | None
    gain: float | None
    offset: float | None
    bin: int
    shape: tuple[int, ...]

    @staticmethod
    def of(facts: Facts) -> Combination:
        """The combination a sub belongs to."""
        shot = facts.exposure
        seconds = None if shot.seconds is None else round(shot.seconds, 3)
        return Combination(
            facts.camera, facts.target, shot.filter, seconds, shot.gain, shot.offset, shot.bin, facts.shape
        )

    @property
    def label(self) -> str:
        """TARGET_FILTER_EXPs as files are named; what is not known is left out."""
        parts = [self.target, self.filter, f"{self.seconds:g}s" if self.seconds is not None else None]
        named = "_".join(name for part in parts if (name := safe(part)))
        # The end tells stacks of one target apart.
        return named.encode()[-_LONGEST_LABEL:].decode(errors="ignore").strip("._-") or "stack"
