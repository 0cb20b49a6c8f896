"""What masters lights have, which they still need, and how much noise each adds to the stack planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starwell.calibration.library_find import (
    DARK_FRAMES,
    Found,
    closest,
    command,
    described,
    find,
    missing_in_words,
    series,
)
from starwell.calibration.library_kept import Kept
from starwell.calibration.library_match import Fit
from starwell.calibration.library_noise import Planned, Share, share_of
from starwell.calibration.master import NAMES
from starwell.errors import MasterMissing
from starwell.frame import Facts, Kind

WANTED = (Kind.DARK, Kind.FLAT, Kind.BIAS)


@dataclass(frozen=True, slots=True)
class Need:
    """One kind of master for some lights: what is there, or what comes closest and what to shoot.

    advised: frames that keep both masters together within 5 % of the stack's noise.
    """

    kind: Kind
    lights: str
    found: Found | None
    nearest: Fit | None
    missing: str
    shoot: str
    command: str
    advised: int
    share: Share | None

    def listed(self, at: datetime | None = None) -> dict[str, Any]:
        """What `starwell library need --json` says of it."""
        kept = self.found.kept if self.found is not None else None
        age = None if kept is None else kept.age_days(at)
        return {
            "kind": NAMES[self.kind],
            "lights": self.lights,
            "found": None if kept is None else kept.files[0],
            "other": None if self.found is None or self.found.other is None else self.found.other.files[0],
            "frames": None if kept is None else kept.frames,
            "age_days": None if age is None else round(age, 2),
            "adds_e": None if self.share is None else round(self.share.adds_e, 4),
            "adds_percent": None if self.share is None else round(self.share.adds_percent, 3),
            "advised_frames": self.advised,
            "missing": self.missing,
            "closest": None if self.nearest is None else self.nearest.kept.files[0],
            "differs": []
            if self.nearest is None
            else [{"field": d.field, "words": d.words} for d in self.nearest.differences],
            "shoot": self.shoot,
            "command": self.command,
            "warnings": list(self.found.warnings) if self.found is not None else [],
        }


def needs(
    lights: Facts,
    among: Sequence[Kept],
    planned: Planned | None = None,
    *,
    kinds: Sequence[Kind] = WANTED,
) -> list[Need]:
    """Each kind of master for lights of these facts, or for those that are to be shot.

    A bias is not asked for where the dark takes the lights' offset off and a dark flat that of the flats.
    """
    wanted = [_need(kind, lights, among, planned) for kind in kinds]
    found = {need.kind: need.found.kept for need in wanted if need.found is not None}
    flat = found.get(Kind.FLAT)
    flat_done = flat is not None and (flat.finished or any(k.kind is Kind.DARK_FLAT for k in among))
    if Kind.DARK in found and flat_done:
        wanted = [need for need in wanted if need.kind is not Kind.BIAS or need.found is not None]
    return wanted


def _need(kind: Kind, lights: Facts, among: Sequence[Kept], planned: Planned | None) -> Need:
    frames = _advised(kind, planned)
    found: Found | None = None
    nearest: Fit | None = None
    missing = ""
    try:
        found = find(kind, lights, among)
    except MasterMissing:
        nearest = closest(kind, lights, among)
        missing = missing_in_words(kind, lights, nearest)
    share = None if found is None or planned is None else share_of(found.kept, planned)
    return Need(
        kind,
        described(kind, lights),
        found,
        nearest,
        missing,
        series(kind, lights, frames),
        command(kind, lights, frames),
        frames,
        share,
    )


def _advised(kind: Kind, planned: Planned | None) -> int:
    """Frames to shoot: as many as the stack's noise asks for, never fewer than a usual series."""
    if planned is None or kind is Kind.BIAS:
        return DARK_FRAMES
    needed = planned.needed()
    return max(DARK_FRAMES, needed.flats if kind is Kind.FLAT else needed.darks)
