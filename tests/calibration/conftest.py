"""Small frames and masters with a known truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from starwell.calibration.master import Master, pixels_sha256
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Exposure, Facts, Frame, Kind


@pytest.fixture
def make_master() -> Callable[..., Master]:
    def make(kind: Kind, pixels, seconds=60.0, facts=None, learnt=None, keywords=None, **exposure) -> Master:
        pixels = np.asarray(pixels, dtype=np.float32)
        facts = facts or Facts(pixels.shape, Exposure(kind=kind, seconds=seconds, **exposure))
        level = float(np.median(pixels))
        return Master(
            kind, pixels, facts, level, 20, keywords or {}, learnt or {}, sha256=pixels_sha256(pixels)
        )

    return make


@pytest.fixture
def make_light() -> Callable[..., Frame]:
    def make(
        pixels, seconds=60.0, *, bayer=None, celsius=None, shift=0, saturation=65535.0, **exposure
    ) -> Frame:
        pixels = np.asarray(pixels)
        facts = Facts(
            pixels.shape,
            Exposure(seconds=seconds, **exposure),
            bayer=bayer,
            sensor_celsius=celsius,
            adu_shift=shift,
            saturation_adu=saturation,
        )
        return Frame(facts, pixels)

    return make


@pytest.fixture
def write_frames(tmp_path) -> Callable[..., Path]:
    """Writes one FITS file per array into a folder; keywords may be a mapping, or one for each frame."""

    def write(folder: str, frames, keywords=None, name="frame") -> Path:
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        for i, pixels in enumerate(frames):
            given = keywords[i] if isinstance(keywords, list) else keywords or {}
            fits.write(target / f"{name}_{i:03d}.fits", np.asarray(pixels), given)
        return target

    return write


@pytest.fixture
def shoot(tmp_path) -> Callable[..., Path]:
    """Writes frames of a simulated camera into a folder, as a capture program does."""

    def write(folder: str, frames) -> Path:
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        for i, frame in enumerate(frames):
            fits.write(target / f"{folder}_{i:03d}.fits", frame.pixels, keywords_of(frame.facts))
        return target

    return write
