from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from starwell.errors import StorageError
from starwell.frame import Exposure, Facts
from starwell.sensor.model import Origin
from starwell.sensor.photon_transfer import Analysis
from starwell.sensor.store import SensorStore, find, known_of

FACTS = Facts(
    (100, 120),
    Exposure(gain=139.0, offset=21.0),
    camera="ZWO ASI1600MM Pro",
    adu_shift=4,
    saturation_adu=65520,
)
ANALYSIS = Analysis(egain=1.0, egain_error=0.001, read_noise_e=1.7, bias_adu=50.0, adu_shift=4)


def keep(state, facts=FACTS, **figures) -> None:
    known = known_of(replace(ANALYSIS, **figures), facts)
    assert known is not None
    SensorStore(state).keep(known)


def test_what_was_measured_comes_back_in_the_files_adu(tmp_path):
    keep(tmp_path)
    model = find(FACTS, tmp_path)
    assert model.egain == pytest.approx(1 / 16)
    assert model.read_noise_e == 1.7
    assert model.step_adu == 16
    assert model.saturation_adu == 65520
    assert model.origin is Origin.MEASURED


def test_nothing_is_found_for_another_gain_camera_binning_or_shift(tmp_path):
    keep(tmp_path)
    for other in (
        replace(FACTS, exposure=replace(FACTS.exposure, gain=300.0)),
        replace(FACTS, exposure=replace(FACTS.exposure, gain=None)),
        replace(FACTS, exposure=replace(FACTS.exposure, bin=2)),
        replace(FACTS, camera="ZWO ASI294MC Pro"),
        replace(FACTS, camera=None),
        replace(FACTS, adu_shift=0),
        replace(FACTS, header=MappingProxyType({"READOUTM": "High speed"})),
    ):
        assert find(other, tmp_path) is None
    assert find(FACTS, tmp_path / "elsewhere") is None


def test_another_programs_name_of_the_same_camera_is_known(tmp_path):
    keep(tmp_path)
    assert find(replace(FACTS, camera="ZWO CCD ASI1600MM Pro"), tmp_path) is not None


def test_two_cameras_of_one_model_are_told_apart_by_their_serials(tmp_path):
    one, other = (replace(FACTS, header=MappingProxyType({"SERIAL": s})) for s in ("a1", "b2"))
    keep(tmp_path, one, egain=1.0)
    keep(tmp_path, other, egain=1.1)
    assert find(one, tmp_path).egain * 16 == pytest.approx(1.0)
    assert find(other, tmp_path).egain * 16 == pytest.approx(1.1)


def test_the_same_offset_wins_and_another_serves(tmp_path):
    keep(tmp_path, egain=1.0)
    elsewhere = replace(FACTS, exposure=replace(FACTS.exposure, offset=50.0))
    assert find(elsewhere, tmp_path).egain * 16 == pytest.approx(1.0)
    keep(tmp_path, elsewhere, egain=1.02)
    assert find(FACTS, tmp_path).egain * 16 == pytest.approx(1.0)
    assert find(elsewhere, tmp_path).egain * 16 == pytest.approx(1.02)


def test_a_new_analysis_takes_the_old_ones_place(tmp_path):
    keep(tmp_path)
    keep(tmp_path, egain=1.05)
    assert len(SensorStore(tmp_path).all()) == 1
    assert find(FACTS, tmp_path).egain * 16 == pytest.approx(1.05)


def test_an_uncertain_analysis_is_not_kept():
    assert known_of(replace(ANALYSIS, egain_error=0.06), FACTS) is None
    assert known_of(replace(ANALYSIS, read_noise_e=None), FACTS) is None
    assert known_of(ANALYSIS, replace(FACTS, camera=None)) is None


def test_a_damaged_store_is_set_aside_and_begun_anew(tmp_path):
    (tmp_path / "sensors.json").write_text('{"sensors": [{"sett')
    assert find(FACTS, tmp_path) is None
    assert (tmp_path / "sensors.damaged").exists()
    keep(tmp_path)
    assert find(FACTS, tmp_path) is not None


def test_gains_of_a_camera_come_in_their_order(tmp_path):
    for gain in (300.0, 0.0, 139.0):
        keep(tmp_path, replace(FACTS, exposure=replace(FACTS.exposure, gain=gain)))
    assert [one.setting.gain for one in SensorStore(tmp_path).of_camera(FACTS)] == [0, 139, 300]


def test_a_store_that_cannot_be_read_stops_no_stack_but_says_so_when_asked(tmp_path):
    (tmp_path / "sensors.json").mkdir()
    assert find(FACTS, tmp_path) is None
    with pytest.raises(StorageError, match="cannot be read"):
        SensorStore(tmp_path).all()
