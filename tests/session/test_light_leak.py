"""Darks that are dark, and darks that are not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from starwell.camera.readout import chip_at
from starwell.camera.sky import Chip, Flaw, Scene, Sky, SkyPlan, Weather
from starwell.files.frames import open_facts, open_frame
from starwell.frame import Bayer, Frame, Kind
from starwell.session.light_leak import light_leak

CHIP = Chip(hot=(Flaw(60, 5.0), Flaw(30, 40.0)), warm=(Flaw(400, 1.0),), dark_e_s=0.01)
PLAN = SkyPlan(size=(192, 256), seconds=60.0, chip=CHIP, scene=Scene(stars=60))


def lit(frame: Frame, light_adu: np.ndarray | float) -> Frame:
    return Frame(frame.facts, (frame.pixels + np.round(light_adu)).astype(np.uint16))


@pytest.mark.parametrize("celsius", [-10.0, 5.0, 25.0])
@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_darks_with_hot_pixels_are_dark_whatever_the_temperature(celsius: float, bayer: Bayer | None) -> None:
    sky = Sky(replace(PLAN, bayer=bayer, chip=chip_at(CHIP, 100, 50, celsius)))
    assert light_leak(sky.dark(0), sky.dark(1)) is None
    assert light_leak(sky.dark(0), sky.dark(1), bias_adu=500.0) is None
    assert light_leak(sky.bias(0), sky.bias(1), bias_adu=500.0) is None


def test_amplifier_glow_in_a_corner_is_no_light() -> None:
    sky = Sky(PLAN)
    y, x = np.mgrid[:192, :256]
    glow = 400 * np.exp(-np.hypot(x - 255, y - 191) / 25)
    assert light_leak(lit(sky.dark(0), glow), lit(sky.dark(1), glow)) is None


def test_an_open_dome_is_told_by_its_stars() -> None:
    sky = Sky(replace(PLAN, weather=Weather(sky_e_s=0.0)))
    told = light_leak(sky.light(0), sky.light(1))
    assert told is not None
    assert "stars" in told


def test_a_slope_is_told() -> None:
    sky = Sky(PLAN)
    slope = np.linspace(0, 60, 256)[None, :] * np.ones((192, 1))
    told = light_leak(lit(sky.dark(0), slope), lit(sky.dark(1), slope))
    assert told is not None
    assert "across the middle" in told


def test_even_light_is_told_by_its_charge_with_a_bias_or_without() -> None:
    sky = Sky(replace(PLAN, scene=Scene(stars=0), weather=Weather(sky_e_s=3.0)))
    faint = Sky(replace(sky.plan, weather=Weather(sky_e_s=8.0)))
    assert "e-" in (light_leak(sky.light(0), sky.light(1), bias_adu=500.0) or "")
    assert "e-" in (light_leak(faint.light(0), faint.light(1)) or "")


def test_a_lens_without_its_cap_is_told_by_its_level() -> None:
    sky = Sky(PLAN)
    assert "above" in (light_leak(sky.flat(0), sky.flat(1)) or "")


def test_a_constant_frame_is_dark() -> None:
    dark = Sky(PLAN).dark(0)
    constant = Frame(dark.facts, np.full((192, 256), 500, np.uint16))
    assert light_leak(constant, constant) is None


@pytest.mark.real
def test_real_darks_and_biases_of_a_ccd_are_dark(real_data: Path) -> None:
    sets: dict[object, list[Path]] = defaultdict(list)
    for path in (real_data / "sbig-stl1001-2017").glob("*.FIT"):
        shot = open_facts(path).exposure
        if shot.kind in (Kind.DARK, Kind.BIAS):
            sets[shot.kind, shot.seconds].append(path)
    pairs = [sorted(paths)[:2] for paths in sets.values() if len(paths) > 1]
    if not pairs:
        pytest.skip("no such darks here")
    for first, second in pairs:
        assert light_leak(open_frame(first), open_frame(second)) is None
