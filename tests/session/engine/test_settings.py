"""Settings, plans as text and notes, asked for through the socket of an engine at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from astropy.io import fits

from starwell.config import Config
from starwell.kinds import Kind
from starwell.session.events import (
    ControlChanged,
    ExposureStarted,
    FrameTaken,
    Noted,
    State,
    StateChanged,
    SubStacked,
)
from starwell.session.face import Note, Pause, Set, Start, Stop
from starwell.session.journal import SettingChanged, UserNote
from starwell.session.plan import RigOverrides, Series

Lights = Callable[..., Any]
PLAN = """\
camera = "simulated"
folder = "{folder}"
[cooling]
celsius = -10
[masters]
bias = 500
[[target]]
name = "M51"
[[target.series]]
exposure = 20
count = {count}
"""


def headers(folder: Any) -> list[Any]:
    paths = sorted((folder / "lights").rglob("*.fits"), key=lambda path: path.stem[-4:])
    return [fits.getheader(path) for path in paths]


def started(number: int) -> Callable[[Any], bool]:
    return lambda e: isinstance(e, ExposureStarted) and e.number == number


def test_a_plan_as_text_waits_cold_and_ready_until_it_is_begun(house: Any, tmp_path: Any) -> None:
    heard = house.start(None, stay=True)
    ask = house.wire(heard)
    folder = tmp_path / "night"
    text = PLAN.format(folder=folder, count=3)
    assert heard.engine.status().state is State.IDLE
    reply = ask(Start(text=text, paused=True))
    assert (reply.ok, reply.message) == (
        True,
        "The plan is made ready: `starwell start`, on the screen space, begins it.",
    )
    assert heard.state(State.PAUSED).why == "ready: space starts"
    heard.until(lambda e: isinstance(e, ControlChanged) and e.name == "sensor_celsius" and e.value < 5)
    now = heard.engine.status()
    assert (now.state, now.camera, now.frame, now.cooler_on) == (State.PAUSED, "Simulated ASI2600", 0, True)
    assert ask(Set("gain", 200.0)).ok
    heard.until(lambda e: isinstance(e, ControlChanged) and e.name == "gain" and e.value == 200)
    assert heard.engine.status().gain == 200
    assert not heard.of(ExposureStarted)
    assert ask(Start()).ok
    heard.finished()
    assert (folder / "plan.toml").read_text() == text
    assert [(h["GAIN"], h["CCD-TEMP"]) for h in headers(folder)] == [(200, pytest.approx(-10, abs=0.6))] * 3
    assert heard.state(State.IDLE)
    heard.quit()


def test_a_text_with_mistakes_is_refused_with_line_and_key(house: Any) -> None:
    heard = house.start(None, stay=True)
    ask = house.wire(heard)
    reply = ask(Start(text='camera = "simulated"\n[[target]]\n[[target.series]]\nexposure = "long"\n'))
    assert not reply.ok
    assert "plan.toml:4: target[1].series[1].exposure" in reply.message
    reply = ask(Start(text="[[target]]\n[[target.series]]\nexposure = 5\ncount = 1\n"))
    assert not reply.ok
    assert "names no camera" in reply.message
    heard.quit()


def test_filter_bin_and_target_begin_another_stack(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(8, seconds=100.0), camera_of(speed=500.0), stay=True)
    ask = house.wire(heard)
    for number, name, value in ((2, "filter", "R"), (4, "target", "M 101"), (6, "bin", 2.0)):
        heard.until(started(number))
        reply = ask(Set(name, value))
        assert reply.ok
        assert reply.message.endswith("from the next frame on.")
    heard.finished()
    seen = [(h.get("FILTER"), h["OBJECT"], h["XBINNING"]) for h in headers(house.night)]
    r = "R"
    assert seen == [
        *[(None, "M51", 1)] * 2, *[(r, "M51", 1)] * 2, *[(r, "M 101", 1)] * 2, *[(r, "M 101", 2)] * 2
    ]  # fmt: skip
    heard.state(State.IDLE)
    stacks = {e.stack for e in heard.of(SubStacked)}
    assert stacks == {"M51_100s", "M51_R_100s", "M_101_R_100s", "M_101_R_100s-2"}
    assert {"filter R", "target M 101", "bin 2"} <= {e.text for e in heard.of(Noted)}
    heard.quit()


def test_the_number_of_frames_can_be_more_or_fewer(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(9, seconds=100.0), camera_of(speed=500.0), stay=True)
    ask = house.wire(heard)
    heard.until(started(3))
    assert "2 are taken already; a whole number from 2" in ask(Set("frames", 1.0)).message
    assert "whole number" in ask(Set("frames", 4.5)).message
    assert ask(Set("frames", 4.0)).ok
    heard.frame(3)
    heard.until(started(4))
    assert heard.engine.status().frames == 4
    assert ask(Set("frames", 5.0)).ok
    heard.finished()
    assert [e.number for e in heard.of(FrameTaken)] == [1, 2, 3, 4, 5]
    heard.quit()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("filter", "Ha", "the rig has L, R"), ("bin", 7.0, "has 1, 2, 3, 4"), ("frames", "many", "a number"),
     ("target", " ", "wants a name"), ("fitler", "L", "did you mean filter")],
)  # fmt: skip
def test_a_setting_of_the_lights_that_cannot_be_is_refused(
    house: Any, plan_of_lights: Lights, camera_of: Any, name: str, value: Any, said: str
) -> None:
    plan = plan_of_lights(2, seconds=1000.0, rig=RigOverrides(filters=("L", "R")))
    heard = house.start(plan, camera_of(speed=100.0))
    ask = house.wire(heard)
    heard.until(started(1))
    reply = ask(Set(name, value))
    assert not reply.ok
    assert said in reply.message
    heard.quit()


def test_what_was_set_by_hand_outlasts_the_engine(house: Any, plan_of_lights: Lights, camera_of: Any) -> None:
    plan = plan_of_lights(4, seconds=100.0)
    heard = house.start(plan, camera_of(speed=500.0))
    ask = house.wire(heard)
    heard.until(started(2))
    for name, value in (("gain", 150.0), ("filter", "R"), ("target", "M 101"), ("frames", 5.0)):
        assert ask(Set(name, value)).ok
    heard.frame(3)
    heard.quit()
    again = house.start(plan, camera_of(), resume=True)
    again.end()
    seen = [(h.get("FILTER"), h["OBJECT"], h["GAIN"]) for h in headers(house.night)]
    assert seen == [*[(None, "M51", 100)] * 2, *[("R", "M 101", 150)] * 3]
    changes = [r.name for r in house.records if isinstance(r, SettingChanged)]
    assert changes == ["gain", "filter", "target", "frames"]


def test_a_filter_is_turned_to_by_the_wheel(
    house: Any, plan_of_lights: Lights, camera_of: Any, tmp_path: Any
) -> None:
    turned = tmp_path / "turned"
    config = msgspec.convert(
        {"rig": {"wheel": f"sh -c 'echo {{filter}} >> {turned}'", "filters": ["L", "R"]}}, Config
    )
    plan = plan_of_lights(3, series=(Series(exposure_s=100.0, count=3, filter="L"),))
    heard = house.start(plan, camera_of(speed=500.0), config=config)
    ask = house.wire(heard)
    heard.until(started(1))
    assert ask(Set("filter", "r")).message == "filter will be R from the next frame on."
    heard.end()
    assert turned.read_text().split() == ["L", "R"]


def test_every_control_is_told_with_its_range_when_the_camera_opens(
    house: Any, plan_of_lights: Lights
) -> None:
    heard = house.start(plan_of_lights(2), stay=True)
    ask = house.wire(heard)
    heard.state(State.IDLE)
    told = {e.name: (e.value, e.low, e.high) for e in heard.of(ControlChanged)}
    assert told["gain"] == (100, 0, 500)
    assert told["offset"] == (50, 0, 200)
    assert told["exposure"] == (20, 0, 7200)
    assert told["bin"] == (1, 1, 4)
    assert told["target_celsius"][1:] == (-40, 30)
    assert {"cooler", "fan", "dew_heater", "usb_bandwidth", "high_speed"} <= set(told)
    late = {e.name: e.low for e in heard.engine.subscribe().recent if isinstance(e, ControlChanged)}
    assert late.items() >= {"gain": 0, "exposure": 0, "dew_heater": 0}.items()
    assert not ask(Set("gain", 1.0)).ok
    heard.quit()


def test_the_dew_heater_is_turned_on(house: Any, plan_of_lights: Lights, camera_of: Any) -> None:
    heard = house.start(plan_of_lights(3, seconds=100.0), camera_of(speed=500.0))
    ask = house.wire(heard)
    heard.until(started(1))
    assert ask(Set("dew_heater", "on")).ok
    changed = heard.until(lambda e: isinstance(e, ControlChanged) and e.name == "dew_heater" and e.value == 1)
    assert isinstance(changed, ControlChanged)
    assert (changed.low, changed.high) == (0, 1)
    heard.end()


def test_a_note_is_kept_and_told(house: Any, plan_of_lights: Lights) -> None:
    heard = house.start(None, stay=True)
    ask = house.wire(heard)
    assert not ask(Note("too early")).ok
    heard.quit()
    other = house.start(plan_of_lights(1), stay=True)
    other.state(State.IDLE)
    assert other.ask(Note(" dew on the\ncorrector ")).ok
    noted = other.until(lambda e: isinstance(e, Noted) and e.text == "dew on the corrector")
    assert isinstance(noted, Noted)
    assert noted.at
    assert [r.text for r in house.records if isinstance(r, UserNote)] == ["dew on the corrector"]
    other.quit()


def test_the_status_says_how_it_is_shot_and_when_it_ends(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    plan = plan_of_lights(30, seconds=100.0, rig=RigOverrides(focal_mm=500.0, filters=("L", "R")))
    heard = house.start(plan, camera_of(speed=100.0))
    ask = house.wire(heard)
    heard.until(started(2))
    now = heard.engine.status()
    assert (now.kind, now.gain, now.offset, now.bin) == (Kind.LIGHT, 100, 50, 1)
    assert (now.width, now.height, now.pixel_um) == (256, 200, 3.76)
    assert now.arcsec_per_px == pytest.approx(206.265 * 3.76 / 500)
    assert now.filters == ("L", "R")
    assert now.masters == "bias"
    assert now.ends.startswith("30 of 30 at ")
    assert ask(Pause()).ok
    heard.state(State.PAUSED)
    assert ask(Stop()).ok
    heard.end()
    states = [e.state for e in heard.of(StateChanged)]
    assert states == [State.EXPOSING, State.PAUSED, State.STOPPING]
