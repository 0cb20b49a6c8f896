"""`starwell cameras`: what is there, and what one of them can do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starwell.camera.simulated import SimulatedCamera
from starwell.cli.main import main


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path))
    monkeypatch.setenv("ZWO_ASI_LIB", str(tmp_path / "missing.so"))


def test_all_kinds_are_listed_and_nothing_is_opened(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(camera: SimulatedCamera) -> None:
        raise AssertionError

    monkeypatch.setattr(SimulatedCamera, "open", opened)
    assert main(["cameras"]) == 0
    told = capsys.readouterr().out
    assert "Simulated ASI2600, simulated:seed=1, 1200×800 px" in told
    assert "missing.so" in told


def test_a_named_camera_shows_its_controls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "simulated:size=640x480"]) == 0
    told = capsys.readouterr().out
    assert "640×480" in told
    assert "0 to 500" in told
    assert "-40 to 30" in told
    assert "sensor at 20 °C" in told


def test_machines_read_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "--json"]) == 0
    zwo, simulated = json.loads(capsys.readouterr().out)
    assert (zwo["driver"], zwo["usable"], zwo["cameras"]) == ("zwo", False, [])
    assert simulated["cameras"][0]["uid"] == "seed=1"
    assert main(["cameras", "simulated", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["controls"]["gain"]["high"] == 500
    assert told["values"]["target_celsius"] == 0
    assert told["telemetry"]["sensor_celsius"] == 20.0


def test_files_have_no_controls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["cameras", f"watch:{tmp_path}"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_camera_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "zwo"]) == 1
    assert "missing.so" in capsys.readouterr().err
