from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

from starwell.camera.chip import ASI1600, Chip
from starwell.camera.sky import Scene, Sky, SkyPlan, Weather
from starwell.cli.main import main
from starwell.errors import MasterMismatch, PlanError
from starwell.frame import Kind, Roi
from starwell.sensor.model import Origin, SensorModel
from starwell.sensor.store import find
from starwell.session.build import Method
from starwell.session.plan import MasterPaths
from starwell.session.sensor_analysis import analyse_files
from starwell.session.sets import light_sets
from starwell.session.stack_files import SetRun

KEYS = [
    "egain_e_per_adu",
    "read_noise_e",
    "full_well_e",
    "prnu_percent",
    "dsnu_e",
    "linearity_percent",
    "dark_e_per_s",
    "zero_fraction",
    "adu_shift",
    "warnings",
]
CHIP = Chip(egain=0.5, read_noise_e=1.5, dark_e_s=0.01, offset_adu=400)


def sky(chip=CHIP, **changes) -> Sky:
    scene = Scene(stars=30, faintest_e=300, brightest_e=20_000)
    weather = Weather(sky_e_s=0.8)
    return Sky(SkyPlan(size=(320, 320), seconds=20, scene=scene, weather=weather, chip=chip, **changes))


@pytest.fixture
def sets(save):
    field = sky(ASI1600)
    flats = [
        save(f"flat{i}", [field.varied(flat_seconds=10 * part).flat(2 * i + k, part) for k in (0, 1)])
        for i, part in enumerate((0.1, 0.3, 0.5, 0.7, 0.9))
    ]
    darks = [save(f"dark{t}", [field.dark(k, float(t)) for k in range(2)]) for t in (60, 600)]
    return save("bias", [field.bias(k) for k in range(6)]), flats, darks


def words(sets) -> list[str]:
    bias, flats, darks = sets
    return [
        *("sensor", "--bias", str(bias)),
        *(word for flat in flats for word in ("--flat", str(flat))),
        *(word for dark in darks for word in ("--dark", str(dark))),
    ]


def test_the_contract_holds_to_the_letter(sets, tmp_path, capsys):
    target = tmp_path / "r.json"
    assert main([*words(sets), "--json", str(target)]) == 0
    told = json.loads(target.read_text())
    assert list(told) == KEYS
    assert told["egain_e_per_adu"] == pytest.approx(1.0, rel=0.01)
    assert told["read_noise_e"] == pytest.approx(1.7, rel=0.02)
    assert told["full_well_e"] == pytest.approx(ASI1600.usable_e, rel=0.02)
    assert told["adu_shift"] == 4
    assert told["linearity_percent"] < 0.5
    assert told["dark_e_per_s"] == pytest.approx(ASI1600.dark_e_s, rel=0.1)
    printed = capsys.readouterr().out
    assert "shot noise, ADU, against light" in printed
    assert re.search(r"gain +(0\.99|1|1\.0)\d* ± .* e-/ADU .*16 ADU a step", printed)


def test_an_analysis_is_used_by_later_stacks_unless_it_is_not_to_be_kept(sets, capsys):
    facts = sky(ASI1600).light(0).facts
    assert main([*words(sets), "--no-store"]) == 0
    assert find(facts) is None
    assert main(words(sets)) == 0
    assert "Kept in" in capsys.readouterr().out
    model = find(facts)
    assert model.origin is Origin.MEASURED
    assert model.egain == pytest.approx(1 / 16, rel=0.01)
    assert main(["sensor", "--list"]) == 0
    assert "Simulated ASI1600MM" in capsys.readouterr().out


def test_a_report_is_written_with_its_plots(sets, tmp_path):
    pytest.importorskip("matplotlib")
    assert main([*words(sets), "--report", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| gain | 1" in text
    for plot in ("photon-transfer.png", "dark-current.png"):
        assert f"({plot})" in text
        assert (tmp_path / "report" / plot).read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_report_says_how_to_get_it(sets, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*words(sets), "--report", str(tmp_path / "report")]) == 2
    assert "starwell[report]" in capsys.readouterr().err


def test_sets_of_two_gains_are_refused_by_name(save):
    one, other = sky(), sky(Chip(gain=200.0))
    bias, flat = save("bias", [one.bias(0), one.bias(1)]), save("flat", [other.flat(0), other.flat(1)])
    with pytest.raises(MasterMismatch, match=r"gain: 100 \(bias_0.fits\), 200 \(flat_0.fits\)"):
        analyse_files([bias], [[flat]])


def test_darks_of_two_exposures_are_two_sets(save):
    field = sky()
    bias = save("bias", [field.bias(0), field.bias(1)])
    mixed = save("dark", [field.dark(0, 10.0), field.dark(1, 60.0)])
    with pytest.raises(MasterMismatch, match="10 to 60 s in one set"):
        analyse_files([bias], [], [[mixed]])


def test_a_window_off_the_sensor_is_refused(save):
    bias = save("bias", [sky().bias(0), sky().bias(1)])
    with pytest.raises(PlanError, match="is no part of 320×320 px"):
        analyse_files([bias], [], roi=Roi(200, 0, 200, 100))


def test_nothing_to_analyse_is_a_wrong_call(capsys):
    assert main(["sensor"]) == 2
    assert "--bias" in capsys.readouterr().err


@pytest.fixture
def night(save):
    field = sky()
    assert field.light(0).facts.exposure.kind is Kind.LIGHT
    return (
        save("light", [field.light(0)]),
        save("dark", [field.dark(k) for k in range(8)]),
        save("bias", [field.bias(k) for k in range(6)]),
    )


def test_the_sky_of_a_sub_and_the_exposure_it_asks_for(night, tmp_path, capsys):
    light, dark, _ = night
    target = tmp_path / "r.json"
    call = [
        "advise",
        str(light / "light_0.fits"),
        "--dark",
        str(dark),
        "--egain",
        "0.5",
        "--read-noise",
        "1.5",
    ]
    assert main([*call, "--dark-rate", "0", "--json", str(target)]) == 0
    told = json.loads(target.read_text())
    assert told["sky_e_per_s"]["L"] == pytest.approx(0.8, rel=0.01)
    assert told["least_seconds"]["5%"] == pytest.approx(27.4, rel=0.02)
    assert told["swamp_factor"] == pytest.approx(0.8 * 20 / 1.5**2, rel=0.02)
    assert told["dominant"] == "sky"
    printed = capsys.readouterr().out
    assert re.search(r"expose +2[78] s: read noise costs 5 %", printed)


@pytest.fixture
def flats(save) -> list[str]:
    """Two light levels, as words of the call."""
    field, parts = sky(), (0.2, 0.6)
    sets = [save(f"flat{i}", [field.flat(2 * i + k, part) for k in (0, 1)]) for i, part in enumerate(parts)]
    return [word for one in sets for word in ("--flat", str(one))]


def test_after_an_analysis_a_sub_needs_no_masters_for_advice(night, flats, capsys):
    light, dark, bias = night
    sub = str(light / "light_0.fits")
    assert main(["advise", sub]) == 1
    assert "--dark" in capsys.readouterr().err
    assert main(["sensor", "--bias", str(bias), *flats, "--dark", str(dark)]) == 0
    assert main(["advise", sub, "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out.rpartition("\n{\n")[2].join(["{\n", ""]))
    assert told["read_noise_e"] == pytest.approx(1.5, rel=0.02)
    assert told["sky_e_per_s"]["L"] == pytest.approx(0.8, rel=0.02)
    assert told["dark_e_per_s"] == pytest.approx(0.01, rel=0.3)
    assert np.isfinite(told["dynamic_range"])


def test_a_sub_no_brighter_than_its_dark_gets_no_advice(night, capsys):
    light, _, _ = night
    assert main(["advise", str(light / "light_0.fits"), "--bias", "435"]) == 2
    assert "no brighter than its dark" in capsys.readouterr().err


def test_a_stack_believes_the_analysis_before_the_header(night, flats, capsys):
    light, dark, bias = night
    lights, _ = light_sets([light])
    frame = sky().light(0)

    def model() -> SensorModel:
        run = SetRun(lights[0], MasterPaths(dark=str(dark)), Method())
        run.intake.take(frame)
        return run.intake.model

    assert model().origin is not Origin.MEASURED
    assert main(["sensor", "--bias", str(bias), *flats]) == 0
    assert model().origin is Origin.MEASURED
    assert model().egain == pytest.approx(0.5, rel=0.015)  # of four flats
