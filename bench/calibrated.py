"""Calibrated subs for the parts of the work that begin there, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import frames
from starwell.align.transform import Transform
from starwell.calibration.calibrate import Calibrated, Calibrator
from starwell.calibration.library import load_masters
from starwell.calibration.master import Masters
from starwell.files.frames import open_frame


def masters(folder: Path, night: str) -> Masters:
    """The dark and flat of a night."""
    return load_masters(dark=frames.dark(folder, night), flat=frames.flat(folder, night))


def calibrated_subs(folder: Path, night: str, count: int) -> Iterator[tuple[int, Calibrated]]:
    """The first subs of a night with their numbers, counted from 0; pixels of their own."""
    calibrator: Calibrator | None = None
    for number, path in enumerate(frames.lights(folder, night)[:count]):
        frame = open_frame(path)
        calibrator = calibrator or Calibrator(masters(folder, night), frame.facts)
        yield number, calibrator.calibrate(frame)


def corner_error_px(night: str, number: int, found: Transform) -> float:
    """How far the worst corner of a sub lands from where it belongs on sub 0."""
    from starwell.camera.conditions import conditions  # others are measured without it

    plan = frames.NIGHTS[night].plan
    truth = conditions(plan, 0).pose @ conditions(plan, number).pose.inverse()
    height, width = plan.size
    corners = np.array([(x, y) for x in (0, width - 1) for y in (0, height - 1)], float)
    return float(np.hypot(*(found.apply(corners) - truth.apply(corners)).T).max())
