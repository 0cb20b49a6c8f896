from __future__ import annotations

from collections import defaultdict

import pytest

from starwell.files.frames import open_facts
from starwell.frame import Roi
from starwell.session.sensor_analysis import analyse_files

pytestmark = pytest.mark.real

MIDDLE = Roi(170, 170, 684, 684)
"""The central two thirds of 1024 px a side."""


def test_a_real_ccd_is_measured_as_it_is(real_data):
    folder = real_data / "sbig-stl1001-2017"
    found = analyse_files(
        sorted(folder.glob("biases*")),
        [sorted(folder.glob("flat*"))],
        [sorted(folder.glob("darks-expos1-*")), sorted(folder.glob("darks-expos300s*"))],
        roi=MIDDLE,
    ).analysis
    assert found.egain == pytest.approx(1.940, rel=0.02)
    assert found.read_noise_e == pytest.approx(13.0, rel=0.05)
    assert found.uneven_percent == pytest.approx(1.6, abs=0.1)  # illumination included
    assert found.prnu_percent == pytest.approx(0.37, abs=0.03)  # within blocks of 32×32 px, filter "Visible"
    assert found.dark.by_mean == pytest.approx(22.0 * 1.94 / 60, rel=0.05)
    assert found.full_well_e is None  # the flats end at a third of it


def test_lights_of_a_focus_run_tell_the_gain_of_a_real_cmos(real_data):
    by_seconds = defaultdict(list)
    for path in sorted((real_data / "asi1600-focusrun").glob("*.FIT")):
        by_seconds[open_facts(path).exposure.seconds].append(path)
    found = analyse_files([], list(by_seconds.values())).analysis
    assert found.egain == pytest.approx(0.98, rel=0.10)
    assert found.adu_shift == 4
    assert found.read_noise_e is None
