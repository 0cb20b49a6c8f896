"""The first configuration: checked, written whole, and read back."""

from __future__ import annotations

import os

import pytest

from starwell import config
from starwell.errors import EngineError
from starwell.remote.place import Place
from starwell_tui import first_config, remembered, starting
from starwell_tui.night import Night

TYPED = {
    "camera": "zwo:1f2e",
    "data": "~/nights",
    "telescope": "80/480",
    "focal_mm": "480",
    "latitude": "48.1",
    "longitude": "11,6",
    "colour": "24bit",
    "preview": "half",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | {"STARWELL_HOME": str(tmp_path)})
    monkeypatch.setattr(config.home, "__defaults__", (os.environ,))
    return config.home()


def test_the_answers_are_the_configuration(home):
    assert first_config.wrong_in(TYPED) == {}
    assert first_config.write(TYPED) == home.config / "config.toml"
    kept = config.load(home.config)
    assert kept.data == "~/nights"
    assert (kept.rig.camera, kept.rig.telescope, kept.rig.focal_mm) == ("zwo:1f2e", "80/480", 480)
    assert (kept.site.latitude, kept.site.longitude) == (48.1, 11.6)
    assert (kept.screen.colour, kept.screen.preview) == ("24bit", "half")


def test_what_was_left_out_is_not_configured(home):
    first_config.write(dict.fromkeys(TYPED, "") | {"data": "/nights", "colour": "256"})
    kept = config.load(home.config)
    assert kept == config.Config(data="/nights", screen=config.Screen(colour="256"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("focal_mm", "-3"), ("focal_mm", "long"), ("latitude", "91"), ("longitude", ""), ("data", "nights")],
)
def test_what_cannot_be_kept_is_named(name, text):
    assert list(first_config.wrong_in(TYPED | {name: text})) == [name]


def test_room_is_that_of_the_folder_that_will_be(tmp_path):
    assert first_config.room(tmp_path / "a" / "b") == pytest.approx(first_config.room(tmp_path), rel=0.01)


def test_what_was_typed_is_there_the_next_time_and_damage_is_forgotten(home):
    remembered.keep("sequence", {"gain": "100"})
    assert remembered.typed("sequence") == {"gain": "100"}
    (home.state / "sequence.json").write_text("[")
    assert remembered.typed("sequence") == {}


def test_the_settings_of_a_camera_and_target_come_from_what_the_engine_remembers(home):
    memory = config.Remembered(home.state)
    memory.keep("1f2e", "M 51", config.Settings(60.0, 100, 50, 1, -10))
    assert remembered.of_camera("1f2e", "M 51") == {
        "exposure": "60",
        "gain": "100",
        "offset": "50",
        "bin": "1",
        "celsius": "-10",
    }
    assert "exposure" not in remembered.of_camera("1f2e", "M 33")


def test_the_lights_of_tonight_are_as_the_engine_says(stands):
    night = Night(status=stands(gain=120.0, offset=30.0, bin=2))
    assert remembered.of_lights(night.status) == {
        "exposure": "60",
        "gain": "120",
        "offset": "30",
        "bin": "2",
        "celsius": "-10",
    }


def test_an_engine_that_cannot_start_says_why(tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text("rig = 5\n")
    place = Place(tmp_path / "state")
    with pytest.raises(EngineError, match=r"could not be started.*rig should be a table"):
        starting.start(place)
    assert "rig should be a table" in starting.log_of(place).read_text()
