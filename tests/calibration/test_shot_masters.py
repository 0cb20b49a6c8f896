"""Masters shot and built as a user does it calibrate lights of the same camera as physics allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.masters import Masters, build
from starwell.camera.simulated import SimulatedCamera
from starwell.camera.sky import Chip, Flaw, Optics, Scene, SkyPlan, Weather
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Exposure, Kind

SECONDS = 10.0
SKY_E_S = 4.0
MASTER_FRAMES = 16
LIGHTS = 40
DOUBLES_C = 6.0  # the simulated camera's dark current, uncooled here, doubles per so many degrees
PLAN = SkyPlan(
    size=(256, 320),
    seconds=SECONDS,
    scene=Scene(stars=0),
    weather=Weather(sky_e_s=SKY_E_S),
    optics=Optics(vignette=0.2),
    chip=Chip(prnu=0.01, dsnu_e=2.0, column_e=1.0, dark_e_s=0.05, warm=(Flaw(300, 1.0),)),
)


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind, float, int], list[Path]]:
    """Frames of a kind from the simulated camera, on disk."""
    folder = tmp_path_factory.mktemp("shot")
    camera = SimulatedCamera(PLAN, speed=1e6)
    camera.open()

    def shoot(kind: Kind, seconds: float, count: int) -> list[Path]:
        paths = []
        for number in range(count):
            frame = camera.expose(Exposure(kind=kind, seconds=seconds), Event())
            path = folder / f"{kind}_{number:03d}.fits"
            fits.write(path, frame.pixels, keywords_of(frame.facts))
            paths.append(path)
        return paths

    return shoot


def test_the_fixed_pattern_left_is_the_masters_own_noise(
    shoot: Callable[[Kind, float, int], list[Path]],
) -> None:
    dark = build(Kind.DARK, shoot(Kind.DARK, SECONDS, MASTER_FRAMES))
    dark_flat = build(Kind.DARK_FLAT, shoot(Kind.DARK_FLAT, PLAN.flat_seconds, MASTER_FRAMES))
    flats = shoot(Kind.FLAT, PLAN.flat_seconds, MASTER_FRAMES)
    flat = build(Kind.FLAT, flats, dark_flat=dark_flat)
    lights = shoot(Kind.LIGHT, SECONDS, LIGHTS)
    egain = PLAN.chip.egain
    calibrator = Calibrator(Masters(dark=dark, flat=flat), open_frame(lights[0]).facts)
    halves = [np.zeros(PLAN.size), np.zeros(PLAN.size)]
    for number, path in enumerate(lights):
        halves[number % 2] += calibrator.calibrate(open_frame(path)).pixels * egain / (LIGHTS / 2)
    keep = np.ones(PLAN.size, bool)
    keep[calibrator.defects.xy[:, 1], calibrator.defects.xy[:, 0]] = False
    a, b = ((half - np.median(half))[keep] for half in halves)
    near = (np.abs(a) < 8 * a.std()) & (np.abs(b) < 8 * b.std())
    left_e = float(np.sqrt(np.mean(a[near] * b[near]) - np.mean(a[near]) * np.mean(b[near])))

    sky_e, flat_e = SKY_E_S * SECONDS, flat.level_adu * egain
    celsius = calibrator.facts.sensor_celsius
    assert celsius is not None
    dark_e = PLAN.chip.dark_e_s * SECONDS * 2 ** ((celsius - PLAN.chip.celsius) / DOUBLES_C)
    of_dark = (PLAN.chip.read_noise_e**2 + dark_e) / MASTER_FRAMES
    of_flat = sky_e**2 * (1 / flat_e + 2 * PLAN.chip.read_noise_e**2 / flat_e**2) / MASTER_FRAMES
    assert left_e == pytest.approx(np.sqrt(of_dark + of_flat), rel=0.1)
    # Without masters the sensor's own pattern stands there.
    raw = np.mean([open_frame(path).pixels.astype(float) for path in lights], axis=0)[keep] * egain
    assert raw.std() > np.hypot(PLAN.chip.dsnu_e, PLAN.chip.column_e) > 2 * left_e
