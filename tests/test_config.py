"""Settings in, checked to the line; what was used last, remembered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from starwell import config
from starwell.config import Config, Remembered, Settings
from starwell.errors import DiskFull, PlanError, StorageError

RIG = """\
data = "/nights"

[rig]
telescope = "Esprit 100"
focal_mm = 550
aperture_mm = 100
filters = ["L", "Ha"]

[site]
latitude = 48.1
longitude = 11.6
elevation_m = 520
"""


def loaded(folder: Path, text: str) -> Config:
    (folder / "config.toml").write_text(text)
    return config.load(folder)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(PlanError) as refused:
        loaded(folder, text)
    return str(refused.value).removeprefix(f"{folder / 'config.toml'}, ")


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path) == Config()
    assert Config().keywords() == {}


def test_what_is_configured_lands_in_headers_and_nothing_else(tmp_path: Path) -> None:
    known = loaded(tmp_path, RIG)
    assert known.rig.filters == ("L", "Ha")
    assert known.data == "/nights"
    assert known.keywords() == {
        "TELESCOP": "Esprit 100",
        "FOCALLEN": 550.0,
        "APTDIA": 100.0,
        "SITELAT": 48.1,
        "SITELONG": 11.6,
        "SITEELEV": 520.0,
    }
    assert loaded(tmp_path, "[site]\nlatitude = 0").keywords() == {"SITELAT": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rig]\n\nfocal_mm = '550'", "line 3: rig.focal_mm should be a number, not text in quotes."),
        ("rig.focal_mm = -1", "line 1: rig.focal_mm should be a number > 0.0."),
        ("# mine\n[rig]\nfocal = 5", "line 3: rig.focal is not known; did you mean focal_mm?"),
        ("[rig]\nfilters = ['L', 3]", "line 2: rig.filters should be text in quotes, not a whole number."),
        ("[rigg]\nfocal_mm = 5", "line 1: rigg is not known; did you mean rig?"),
        ("[site]\nlatitude = 91.0", "line 2: site.latitude should be a number <= 90.0."),
        ("[site]\nzzz = 1", "line 2: site.zzz is not known; known are latitude, longitude, elevation_m."),
        ("data = 5", "line 1: data should be text in quotes, not a whole number."),
        ("rig = 5", "line 1: rig should be a table, not a whole number."),
        ("[rig]\nfocal_mm = \n", "line 2: this is not TOML: Invalid value."),
        ("[rig]\nfilters = [\n'L'", "line 3: this is not TOML: Unclosed array."),
    ],
)
def test_a_fault_is_named_with_file_line_and_what_was_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    assert fault(tmp_path, text) == message


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError):
        config.load(tmp_path)


def test_the_home_is_where_the_environment_says(tmp_path: Path) -> None:
    home = config.home({"STARWELL_HOME": str(tmp_path)})
    assert (home.config, home.state, home.data) == (tmp_path, tmp_path / "state", tmp_path / "nights")
    assert config.home({}).config.name == "starwell"
    assert not home.data.exists()


def test_settings_come_back_per_target_and_else_per_camera(tmp_path: Path) -> None:
    remembered = Remembered(tmp_path / "state")
    assert remembered.of("ASI1600", "M51") == Settings()
    remembered.keep("ASI1600", "M51", Settings(seconds=60, gain=139, celsius=-10))
    remembered.keep("ASI1600", "M31", Settings(seconds=30, gain=0, offset=20))
    again = Remembered(tmp_path / "state")
    assert again.of("ASI1600", "M51") == Settings(seconds=60, gain=139, offset=20, celsius=-10)
    assert again.of("ASI1600", "M1") == Settings(gain=0, offset=20)
    assert again.of("ASI120", "M51") == Settings()


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    remembered = Remembered(tmp_path)
    remembered.keep("ASI1600", "M51", Settings(gain=1))
    before = remembered.path.stat().st_ino
    remembered.keep("ASI1600", "M51", Settings(gain=1))
    assert remembered.path.stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["remembered.json"]


def test_a_damaged_memory_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "remembered.json").write_text('{"cameras": {"ASI')
    remembered = Remembered(tmp_path)
    assert remembered.of("ASI1600", None) == Settings()
    assert (tmp_path / "remembered.damaged").exists()
    remembered.keep("ASI1600", None, Settings(gain=3))
    assert remembered.of("ASI1600", None).gain == 3


def test_a_full_disk_leaves_the_old_memory_and_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = Remembered(tmp_path)
    remembered.keep("ASI1600", None, Settings(gain=3))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("starwell.config.os.fsync", full)
    with pytest.raises(DiskFull):
        remembered.keep("ASI1600", None, Settings(gain=4))
    assert remembered.of("ASI1600", None).gain == 3
    assert [path.name for path in tmp_path.iterdir()] == ["remembered.json"]


def test_reading_settings_loads_no_numpy() -> None:
    code = "import sys, starwell.config; print('numpy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
