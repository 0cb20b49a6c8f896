"""Simulated sensors: the masters that were used against the ones that would have been right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from starwell.files.frames import open_frame
from starwell.session.advice_audit import Audit, Trace, audit, judge
from starwell.session.advice_causes import Cause

H, W = 384, 576
Y, X = np.mgrid[-1 : 1 : H * 1j, -1 : 1 : W * 1j]
STAR = np.exp(-(np.hypot(*np.mgrid[-10:11, -10:11]) ** 2) / 8)


class Sensor:
    """Sky through vignetting and dust onto warm pixels, with noise."""

    def __init__(self, seed: int = 1, *, dust: int = 12) -> None:
        self.random = np.random.default_rng(seed)
        self.flat = 1 - 0.3 * (X**2 + Y**2) / 2
        for _ in range(dust):
            y, x = self.random.uniform(-0.9, 0.9, 2)
            away = np.hypot((X - x) * W / 2, (Y - y) * H / 2)
            self.flat *= 1 - 0.06 * ((away > 8) & (away < 24))
        self.flat /= self.flat.mean()
        self.dark = self.random.exponential(4.0, (H, W)) * (self.random.uniform(size=(H, W)) < 0.02) * 20

    def master_dark(self, warmth: float = 1.0) -> np.ndarray:
        return (warmth * self.dark + self.random.normal(0, 2, (H, W))).astype(np.float32)

    def sub(self, sky: float = 800.0, leak: float = 0.0, stars: int = 60) -> np.ndarray:
        light = np.full((H, W), sky)
        for _ in range(stars):
            y, x = self.random.integers(0, (H - 21, W - 21))
            light[y : y + 21, x : x + 21] += self.random.exponential(3000) * STAR
        adu = light * self.flat + self.dark + leak
        return adu + self.random.normal(0, np.sqrt(np.maximum(adu, 1)))

    def calibrated(self, dark: np.ndarray, flat: np.ndarray, **of_sub: float) -> np.ndarray:
        return ((self.sub(**of_sub) - dark) / flat).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sky", [60.0, 800.0])
def test_right_masters_leave_nothing(seed: int, sky: float):
    sensor = Sensor(seed)
    dark = sensor.master_dark()
    found = audit(sensor.calibrated(dark, sensor.flat, sky=sky), dark, sensor.flat.astype(np.float32))
    assert judge(found) == []
    assert found.dark is not None
    assert abs(found.dark.left) < 0.05
    assert found.gradient == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("warmth", "left"), [(0.5, 0.5), (2.0, -0.5), (0.25, 0.75)])
def test_a_dark_of_another_exposure_leaves_its_share(warmth: float, left: float):
    sensor = Sensor(2)
    used = sensor.master_dark(warmth)
    found = audit(sensor.calibrated(used, sensor.flat), used, sensor.flat.astype(np.float32))
    assert found.dark is not None
    # The dark that was used is the yardstick: what is left is (1 - warmth) of the true one.
    assert found.dark.left == pytest.approx((1 - warmth) / warmth, rel=0.1)
    (advice,) = judge(found)
    assert advice.cause is Cause.MASTERS
    assert advice.serious
    assert ("too much" in advice.advice) == (left < 0)


def test_pixels_that_were_repaired_tell_nothing():
    sensor = Sensor(3)
    used = sensor.master_dark(0.5)
    calibrated = sensor.calibrated(used, sensor.flat)
    hot = sensor.dark > 0
    assert audit(calibrated, used, repaired=hot).dark is None


def test_the_noise_of_a_clean_dark_is_no_trace_of_it():
    sensor = Sensor(4)
    sensor.dark[:] = 0
    dark = sensor.master_dark()
    assert audit(sensor.calibrated(dark, sensor.flat), dark).dark is None


def test_a_flat_that_was_not_applied_is_still_there():
    sensor = Sensor(5)
    dark = sensor.master_dark()
    found = audit(sensor.calibrated(dark, np.ones((H, W))), dark, sensor.flat.astype(np.float32))
    assert found.dust is not None
    assert found.dust.left == pytest.approx(1, abs=0.2)
    assert found.vignetting is not None
    assert found.vignetting.left == pytest.approx(1, abs=0.1)
    assert "still in the sub" in judge(found)[0].advice


def test_a_light_leak_is_corrected_too_much():
    sensor = Sensor(6)
    dark = sensor.master_dark()
    found = audit(sensor.calibrated(dark, sensor.flat, leak=800.0), dark, sensor.flat.astype(np.float32))
    assert found.dust is not None
    # Half of the light never saw the telescope's vignetting and dust.
    assert found.dust.left == pytest.approx(-0.5, abs=0.1)
    (advice,) = judge(found)
    assert "too much" in advice.advice
    assert "leaks" in advice.advice


def test_dust_that_moved_since_the_flat_is_seen():
    sensor, other = Sensor(7), Sensor(8)
    dark = sensor.master_dark()
    found = audit(sensor.calibrated(dark, other.flat), dark, other.flat.astype(np.float32))
    assert found.dust is not None
    assert -1.1 < found.dust.left < -0.6
    assert judge(found)[0].cause is Cause.MASTERS


def test_without_dust_the_vignetting_is_asked_and_is_not_serious():
    sensor = Sensor(9, dust=0)
    dark = sensor.master_dark()
    found = audit(sensor.calibrated(dark, np.ones((H, W))), dark, sensor.flat.astype(np.float32))
    assert found.dust is None
    (advice,) = judge(found)
    assert "vignetting" in advice.advice
    assert not advice.serious


def test_a_nebula_in_the_middle_is_not_taken_for_a_missing_flat():
    sensor = Sensor(10)
    dark = sensor.master_dark()
    nebula = 300 * np.exp(-(X**2 + Y**2) / 0.3)
    calibrated = (sensor.calibrated(dark, sensor.flat) + nebula).astype(np.float32)
    assert judge(audit(calibrated, dark, sensor.flat.astype(np.float32))) == []


def test_a_steep_gradient_is_stray_light():
    sensor = Sensor(11)
    dark = sensor.master_dark()
    lamp = (400 * (X + 1)).astype(np.float32)
    found = audit(sensor.calibrated(dark, sensor.flat) + lamp, dark, sensor.flat.astype(np.float32))
    assert found.gradient == pytest.approx(800 / 1200, rel=0.15)
    assert [advice.cause for advice in judge(found)] == [Cause.STRAY_LIGHT]


def test_a_sub_without_sky_cannot_tell_of_flats():
    sensor = Sensor(12)
    dark = sensor.master_dark()
    found = audit(
        sensor.calibrated(dark, sensor.flat, sky=0.0, stars=0), dark, sensor.flat.astype(np.float32)
    )
    assert found.dust is None
    assert found.gradient is None


def test_chance_is_no_trace():
    assert judge(Audit(dark=Trace(0.3, 0.1), dust=Trace(-0.3, 0.1), vignetting=Trace(0.5, 0.2))) == []


@pytest.mark.real
def test_a_real_ladder_of_darks_is_told_exposure_by_exposure(real_data: Path):
    """SBIG STL-1001, -5 °C: darks of 10 to 300 s against a master of 60 s."""
    bias, dark = (median_of(real_data, name) for name in ("biases-*", "darks-expos1-*"))
    dark -= bias
    for seconds in (10, 30, 60, 150, 300):
        found = audit(median_of(real_data, f"darks-expos{seconds}s-*") - bias - dark, dark)
        assert found.dark is not None
        assert found.dark.left == pytest.approx(seconds / 60 - 1, abs=0.03 + 0.01 * seconds / 60)
        assert bool(judge(found)) == (seconds != 60)


@pytest.mark.real
def test_a_real_flat_is_right_missing_or_leaked_around(real_data: Path):
    bias, flat = (median_of(real_data, name) for name in ("biases-*", "flat-*[1-9].FIT"))
    flat = (flat - bias) / np.float32((flat - bias).mean())
    sub = median_of(real_data, "flat-*0.FIT") - bias
    leaked = sub + np.median(sub)
    for pixels, left in ((sub / flat, 0.0), (sub, 1.0), (leaked / flat, -0.5)):
        found = audit(pixels, flat=flat)
        assert found.dust is not None
        assert found.dust.left == pytest.approx(left, abs=0.03)
        assert bool(judge(found)) == (left != 0)


def median_of(folder: Path, pattern: str) -> np.ndarray:
    files = sorted((folder / "sbig-stl1001-2017").glob(pattern))
    assert files
    return np.median([open_frame(f).pixels.astype(np.float32) for f in files], axis=0)
