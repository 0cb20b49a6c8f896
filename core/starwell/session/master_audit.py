"""A sub held against the masters it is calibrated with: what is left of them in it."""

from __future__ import annotations

import numpy as np

from starwell.calibration.calibrate import cut
from starwell.calibration.master import Masters
from starwell.frame import Float32, Frame, Planes
from starwell.session.advice_audit import Audit, audit
from starwell.session.intake import Intake, Unfit


def look_over(frame: Frame, masters: Masters, intake: Intake) -> Audit | None:
    """What this sub says of its masters; None where there are none, or it cannot be calibrated.

    intake: what calibrates with these masters. The frame's pixels may lie in its room.
    """
    if masters.dark is None and masters.flat is None and masters.bias is None:
        return None
    facts = frame.facts
    calibrated = intake.calibrate(frame)
    if isinstance(calibrated, Unfit):
        return None
    planes = Planes.of(facts)
    plane = planes.planes[len(planes.planes) // 2]
    dark, flat = (
        None if master is None else np.ascontiguousarray(planes.view(cut(master, facts), plane))
        for master in (masters.dark, masters.flat)
    )
    repaired = np.zeros(facts.size, dtype=bool)
    repaired[calibrated.defects_xy[:, 1], calibrated.defects_xy[:, 0]] = True
    seen: Float32 = np.ascontiguousarray(planes.view(calibrated.pixels, plane))
    return audit(seen, dark, flat, planes.view(repaired, plane))
