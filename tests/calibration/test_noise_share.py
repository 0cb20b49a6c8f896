from __future__ import annotations

import math

import numpy as np
import pytest

from starwell.calibration.master import Masters, constant_bias
from starwell.calibration.noise_share import dim_flat_warning, masters_variance_e2
from starwell.frame import Kind
from starwell.sensor.model import SensorModel

MODEL = SensorModel(0.05, 1.3)


def flat_of(make_master, level_e, frames=300):
    flat = make_master(Kind.FLAT, np.ones((8, 8)), learnt={"egain": 0.05, "read_noise_e": 1.3})
    return type(flat)(
        flat.kind, flat.pixels, flat.facts, level_e / 0.05, frames, flat.keywords, flat.learnt, sha256="f"
    )


def test_a_flat_as_dim_as_the_sky_takes_ten_flats_for_a_sub(make_master):
    told = dim_flat_warning(flat_of(make_master, 8.0), 300, sky_e=8.0, read_noise_e=1.3)
    assert "1.41×" in told
    assert "2.2 %" in told
    needed = int(told.split("extra takes ")[1].split(" flats")[0].replace(",", ""))
    assert needed == pytest.approx(9.76 * 300, rel=0.005)


def test_a_bright_flat_and_no_flat_are_not_warned_of(make_master):
    assert dim_flat_warning(flat_of(make_master, 16_000.0, 25), 300, sky_e=8.0) is None
    assert dim_flat_warning(None, 300) is None
    assert dim_flat_warning(flat_of(make_master, 8.0, 300), 20, sky_e=8.0, read_noise_e=1.3) is None


def test_the_masters_noise_is_that_of_dark_and_flat(make_master):
    dark = make_master(Kind.DARK, np.full((8, 8), 200.0), learnt={"noise_adu": 26.0})
    masters = Masters(dark=dark, flat=flat_of(make_master, 8.0))
    expected = 1.3**2 / 20 + 64 * (8 + 1.69) / 64 / 300
    assert masters_variance_e2(masters, MODEL, 160.0) == pytest.approx(expected, rel=1e-6)
    assert math.sqrt(masters_variance_e2(Masters(dark=dark), MODEL, 0.0)) == pytest.approx(1.3 / 20**0.5)


def test_masters_that_do_not_tell_are_not_guessed():
    assert masters_variance_e2(Masters(bias=constant_bias(200)), MODEL, 100.0) is None
    assert masters_variance_e2(Masters(), MODEL, 100.0) is None
