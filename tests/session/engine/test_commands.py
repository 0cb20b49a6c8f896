"""What an engine does when it is told to, and in which order it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from astropy.io import fits

from starwell.errors import PlanError
from starwell.frame import Kind
from starwell.session.events import (
    ControlChanged,
    ExposureStarted,
    FrameTaken,
    SeriesFinished,
    StackSaved,
    State,
    StateChanged,
    SubMeasured,
    SubRejected,
    SubStacked,
)
from starwell.session.face import (
    Abort,
    Merge,
    Pause,
    Quit,
    Reject,
    Restore,
    Save,
    Set,
    Start,
    Stop,
    Stretch,
)
from starwell.session.journal import FrameSaved, RejectedByHand, SettingChanged, StateEntered
from starwell.session.night_files import Night

Lights = Callable[..., Any]


def test_a_plan_is_carried_out_and_told_in_order(house: Any, plan_of_lights: Lights) -> None:
    told = house.run(plan_of_lights(4)).told()
    states = [(e.state, e.why) for e in told if isinstance(e, StateChanged)]
    assert states == [(State.EXPOSING, "Light"), (State.STOPPING, "all frames taken")]
    for number in range(1, 5):
        steps = [
            next(i for i, e in enumerate(told) if isinstance(e, kind) and e.number == number)
            for kind in (ExposureStarted, FrameTaken, SubMeasured, SubStacked)
        ]
        assert steps == sorted(steps)
    last = told[-1]
    assert isinstance(last, SeriesFinished)
    assert (last.stacked, last.rejected, last.livetime_s, last.why) == (4, 0, 80.0, "all frames taken")
    assert isinstance(next(e for e in reversed(told) if not isinstance(e, SeriesFinished)), StackSaved)
    assert fits.getheader(house.night / "stacks" / "M51_20s.fits")["STACKCNT"] == 4


def test_the_journal_holds_frames_and_states_and_no_chatter(house: Any, plan_of_lights: Lights) -> None:
    house.run(plan_of_lights(3))
    frames = [r for r in house.records if isinstance(r, FrameSaved)]
    assert [(r.number, r.kind, r.series) for r in frames] == [
        (n, Kind.LIGHT, "M51/Light/20s/bin1") for n in (1, 2, 3)
    ]
    assert [r.state for r in house.records if isinstance(r, StateEntered)] == ["exposing", "stopping"]
    assert all((house.night / r.file).stat().st_size == r.size for r in frames)
    assert len(house.records) < 10


def test_pause_and_stop_act_when_the_frame_is_there(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(9, seconds=100.0), camera_of(speed=1000.0))
    heard.until(lambda e: isinstance(e, ExposureStarted) and e.number == 2)
    assert heard.ask(Pause()).message.startswith("Pausing after this frame")
    assert not heard.ask(Pause()).ok
    heard.state(State.PAUSED)
    assert [e.number for e in heard.of(FrameTaken)] == [1, 2]
    assert heard.engine.status().state is State.PAUSED
    assert heard.ask(Start()).ok
    heard.until(lambda e: isinstance(e, ExposureStarted) and e.number == 4)
    assert heard.ask(Stop()).ok
    finished = heard.finished()
    heard.end()
    assert (finished.stacked, finished.why) == (4, "stopped")
    assert [e.number for e in heard.of(FrameTaken)] == [1, 2, 3, 4]
    assert heard.of(StackSaved)


def test_abort_ends_the_exposure_without_its_frame_and_start_takes_it_again(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(2, seconds=300.0), camera_of(speed=500.0))
    heard.until(lambda e: isinstance(e, ExposureStarted))
    assert heard.ask(Abort()).ok
    heard.state(State.PAUSED)
    assert not heard.of(FrameTaken)
    assert not Night(house.night).frames(Kind.LIGHT)
    assert heard.ask(Start()).ok
    heard.frame(2)
    heard.end()
    assert [e.number for e in heard.of(ExposureStarted)] == [1, 1, 2]


def test_a_setting_counts_from_the_next_frame_on(house: Any, plan_of_lights: Lights, camera_of: Any) -> None:
    heard = house.start(plan_of_lights(4, seconds=100.0), camera_of(speed=1000.0))
    heard.until(lambda e: isinstance(e, ExposureStarted) and e.number == 2)
    assert heard.ask(Set("gain", 200.0)).message == "gain will be 200 from the next frame on."
    assert heard.ask(Set("exposure", 50.0)).ok
    assert heard.ask(Set("dew_heater", "on")).ok
    heard.end()
    paths = sorted((house.night / "lights").glob("*.fits"), key=lambda path: path.stem[-4:])
    headers = [fits.getheader(path) for path in paths]
    assert [(h["GAIN"], h["EXPTIME"]) for h in headers] == [(100, 100), (100, 100), (200, 50), (200, 50)]
    changed = {r.name: r.value for r in house.records if isinstance(r, SettingChanged)}
    assert changed == {"gain": 200.0, "exposure": 50.0, "dew_heater": 1.0}
    assert ("gain", 200.0) in [(e.name, e.value) for e in heard.of(ControlChanged)]
    assert len(list((house.night / "stacks").glob("M51_*0s.fits"))) == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("gian", 1.0, "did you mean gain"), ("gain", 999.0, "0 to 500"), ("gain", "high", "wants a number"),
     ("temperature", -90.0, "-40 to 30"), ("exposure", 9000.0, "7200")],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_refused(
    house: Any, plan_of_lights: Lights, camera_of: Any, name: str, value: Any, said: str
) -> None:
    heard = house.start(plan_of_lights(2, seconds=1000.0), camera_of(speed=100.0))
    heard.until(lambda e: isinstance(e, ExposureStarted))
    with pytest.raises(PlanError, match=said):
        heard.ask(Set(name, value))
    heard.quit()


def test_subs_go_and_come_back_by_hand_while_the_engine_waits(house: Any, plan_of_lights: Lights) -> None:
    heard = house.start(plan_of_lights(4), stay=True)
    heard.state(State.IDLE)
    assert not heard.ask(Reject(9)).ok
    assert heard.ask(Reject(2)).ok
    heard.until(lambda e: isinstance(e, SubRejected) and e.by_hand)
    assert heard.ask(Restore(2)).ok
    heard.until(lambda e: isinstance(e, SubStacked) and e.number == 2)
    assert heard.ask(Stretch("asinh")).ok
    with pytest.raises(PlanError, match="no stretch"):
        heard.ask(Stretch("pretty"))
    assert heard.ask(Merge()).ok
    heard.until(lambda e: getattr(e, "subject", "") == "command" and "nothing to merge" in e.advice)
    assert heard.ask(Save()).ok
    heard.until(lambda e: isinstance(e, StackSaved))
    assert heard.engine.status().stacked == 4
    heard.quit()
    assert [r.number for r in house.records if isinstance(r, RejectedByHand)] == [2]


def test_what_makes_no_sense_now_is_refused_with_the_reason(house: Any) -> None:
    heard = house.start(None, stay=True)
    for command in (Pause(), Stop(), Abort(), Save(), Start(), Set("gain", 1.0)):
        reply = heard.ask(command)
        assert not reply.ok
        assert reply.message.endswith(".")
    with pytest.raises(PlanError):
        heard.ask(Start("/nowhere/plan.toml"))
    assert heard.ask(Quit()).ok
    heard.end()
    assert heard.engine.failure is None


def test_a_waiting_engine_takes_one_plan_after_the_other(house: Any, tmp_path: Any) -> None:
    heard = house.start(None, stay=True)
    for night, filter_ in (("a", "L"), ("b", "R")):
        plan = tmp_path / f"{night}.toml"
        plan.write_text(
            f"camera = 'simulated'\nfolder = '{tmp_path / night}'\n[masters]\nbias = 500\n"
            f"[[target]]\nname = 'M51'\n[[target.series]]\nexposure = 20\ncount = 2\nfilter = '{filter_}'\n"
        )
        assert heard.ask(Start(str(plan))).ok
        heard.finished()
        heard.state(State.IDLE)
        assert (tmp_path / night / "stacks" / f"M51_{filter_}_20s.fits").exists()
    heard.quit()


def test_the_status_follows_the_night(house: Any, plan_of_lights: Lights, camera_of: Any) -> None:
    heard = house.start(plan_of_lights(3, seconds=500.0), camera_of(speed=1000.0))
    heard.until(lambda e: isinstance(e, ExposureStarted) and e.number == 2)
    now = heard.engine.status()
    assert (now.state, now.frame, now.frames, now.target, now.seconds) == (State.EXPOSING, 2, 3, "M51", 500.0)
    assert now.camera == "Simulated ASI2600"
    assert now.folder == str(house.night)
    assert now.sensor_celsius == 20.0
    assert now.free_bytes
    heard.end()
    assert heard.engine.status().stacked == 3


def test_who_comes_late_is_told_what_was(house: Any, plan_of_lights: Lights) -> None:
    heard = house.start(plan_of_lights(3), stay=True)
    heard.state(State.IDLE)
    recent = heard.engine.subscribe().recent
    assert [e.number for e in recent if isinstance(e, FrameTaken)] == [1, 2, 3]
    assert {e.of for e in recent if type(e).__name__ == "PreviewReady"} >= {"stack"}
    heard.quit()
