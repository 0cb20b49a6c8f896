"""A simulated sensor analysed without files, and its frames as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from starwell.camera.chip import Chip, Silicon
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Frame, Plane, Planes
from starwell.sensor.photon_transfer import Analysis, Sets, analyse
from starwell.sensor.photon_transfer_levels import dark_level, light_level

MONO = Planes((Plane(0, 1, 0, 0),), 1)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def analysed() -> Callable[..., Analysis]:
    def run(
        chip: Chip,
        *,
        size: int = 256,
        lights: Sequence[float] = tuple(np.linspace(0.03, 0.97, 12)),
        biases: int = 8,
        darks: Sequence[tuple[float, int]] = (),
        frames: int = 2,
        lamp: Callable[[float], float] = lambda t: t,
        clamp: bool = False,
    ) -> Analysis:
        """lights: parts of the usable range, shot with exposures of ten times as many seconds."""
        silicon, rng = Silicon(chip, (size, size), 5), np.random.default_rng(5)
        rail = float(chip.rail_adu)

        def native(light_e, seconds=0.0):
            return silicon.expose(light_e, seconds, rng) >> chip.shift

        def dark(seconds):
            pixels = native(0.0, seconds)
            less = round(chip.dark_e_s * seconds / chip.egain) if clamp else 0
            return pixels - np.uint16(less)

        bias = dark_level((native(0.0) for _ in range(biases)), MONO, seconds=0.0, rail_adu=rail)
        flats = [
            light_level(
                # the lamp drifts by half a percent from frame to frame
                (native(lamp(part) * chip.usable_e * (1 + 0.005 * (i % 2))) for i in range(frames)),
                MONO,
                seconds=10 * part,
                rail_adu=rail,
                pedestal_adu=bias.mean_adu,
            )
            for part in lights
        ]
        without = [
            dark_level((dark(t) for _ in range(count)), MONO, seconds=t, rail_adu=rail) for t, count in darks
        ]
        return analyse(Sets(bias, flats, without, rail, chip.shift))

    return run


@pytest.fixture
def save(tmp_path) -> Callable[[str, Sequence[Frame]], Path]:
    def write(folder: str, frames: Sequence[Frame]) -> Path:
        target = tmp_path / folder
        target.mkdir()
        for i, frame in enumerate(frames):
            fits.write(target / f"{folder}_{i}.fits", frame.pixels, keywords_of(frame.facts))
        return target

    return write
