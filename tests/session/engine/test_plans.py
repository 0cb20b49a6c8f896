"""Whole nights: filters in turn, ends, what follows the lights, guiding; and going on after a break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from starwell.camera.folder import FolderCamera
from starwell.camera.plan import SkyPlan
from starwell.camera.simulated import SimulatedCamera
from starwell.camera.watch import WatchCamera
from starwell.errors import CameraNotFound, PlanError
from starwell.files.frames import open_frame
from starwell.frame import Exposure, Frame, Kind
from starwell.session.engine_night import plan_of
from starwell.session.events import (
    CameraFault,
    ExposureStarted,
    FrameTaken,
    QualityAdvice,
    SeriesFinished,
    State,
    StateChanged,
)
from starwell.session.face import Reject, Start, Stop
from starwell.session.guiding import Dithered, GuideRms, GuidingState
from starwell.session.plan import (
    After,
    Alerts,
    AtClock,
    Darks,
    Dither,
    Flats,
    MeridianHold,
    Plan,
    Resume,
    RigOverrides,
    Series,
    Settle,
    Site,
    Target,
)
from starwell.session.sun import hour_angle_deg
from starwell.session.tasks import Unfinished

Lights = Callable[..., Any]


def taken(heard: Any, kind: Kind = Kind.LIGHT) -> list[str]:
    return [e.file for e in heard.of(FrameTaken) if e.kind is kind]


def stack(night: Path, name: str) -> Any:
    return fits.getdata(night / "stacks" / name)


def same_stack(one: Path, other: Path) -> None:
    """The same pixels to 1e-5, and the same counts."""
    a, b = fits.getdata(one), fits.getdata(other)
    np.testing.assert_allclose(a, b, rtol=1e-5)
    maps = [path.with_name(path.name.replace(".fits", ".maps.fits")) for path in (one, other)]
    assert np.array_equal(*(fits.getdata(path, extname="COUNT") for path in maps))


def test_filters_in_turn_give_a_right_stack_each(house: Any, plan_of_lights: Lights) -> None:
    series = tuple(Series(exposure_s=20.0, count=3, filter=name) for name in "LRGB")
    heard = house.run(plan_of_lights(None, series=series, pattern=("L", "R", "G", "B")))
    order = [Path(file).parent.name for file in taken(heard)]
    assert "".join(order) == "LRGB" * 3
    for name in "LRGB":
        assert fits.getheader(house.night / "stacks" / f"M51_{name}_20s.fits")["STACKCNT"] == 3
        alone = house.run(
            plan_of_lights(3), FolderCamera(house.night / "lights" / name), folder=house.folder / name
        )
        assert alone.told()[-1].stacked == 3
        same_stack(
            house.night / "stacks" / f"M51_{name}_20s.fits",
            house.folder / name / "stacks" / f"M51_{name}_20s.fits",
        )


def test_replayed_watched_and_live_nights_give_the_same_stack(house: Any, plan_of_lights: Lights) -> None:
    live = house.run(plan_of_lights(6), folder=house.folder / "live")
    lights, inbox = house.folder / "live" / "lights", house.folder / "inbox"
    replayed = house.run(plan_of_lights(None), FolderCamera(lights), folder=house.folder / "replay")
    inbox.mkdir()
    camera = WatchCamera(inbox, look_s=0.02)
    watched = house.start(plan_of_lights(6), camera, folder=house.folder / "watch")
    for path in sorted(lights.glob("*.fits"), key=lambda path: path.stem[-4:]):
        path.rename(part := inbox / f".{path.name}.part")
        part.rename(inbox / path.name)
        watched.until(lambda e: isinstance(e, FrameTaken))
    watched.end()
    for heard in (live, replayed, watched):
        assert heard.told()[-1].stacked == 6
    name = "stacks/M51_20s.fits"
    same_stack(house.folder / "live" / name, house.folder / "replay" / name)
    same_stack(house.folder / "live" / name, house.folder / "watch" / name)
    assert not (house.folder / "watch" / "lights").exists()


def test_a_night_broken_off_is_taken_up_paused_and_ends_in_the_same_stack(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    whole = house.folder / "whole"
    house.run(plan_of_lights(8), folder=whole)
    first = house.start(plan_of_lights(8), camera_of(speed=1000.0))
    first.frame(3)
    told = first.quit()
    assert told[-1].why == "interrupted"
    task = Unfinished(house.folder / "state").task()
    assert task is not None
    assert task.paused
    assert task.folder == house.night
    second = house.start(task.plan, folder=house.night, resume=True, paused=True)
    assert "starwell start" in second.state(State.PAUSED).why
    assert not second.of(ExposureStarted)
    assert second.ask(Start()).ok
    second.end()
    assert second.told()[-1].stacked == 8
    assert sorted(numbers_in(house.night)) == list(range(1, 9))
    same_stack(whole / "stacks/M51_20s.fits", house.night / "stacks/M51_20s.fits")
    assert Unfinished(house.folder / "state").task() is None


def numbers_in(night: Path) -> list[int]:
    return [int(path.stem[-4:]) for path in (night / "lights").rglob("*.fits")]


def test_only_a_plan_that_says_so_goes_on_by_itself(house: Any, plan_of_lights: Lights) -> None:
    state = house.folder / "state"
    assert Unfinished(state).task() is None
    house.start(plan_of_lights(99, resume=Resume.AUTO)).frame(1)
    house.close()
    task = Unfinished(state).task()
    assert task is not None
    assert not task.paused
    assert task.resume


def test_a_night_stopped_by_hand_is_not_taken_up(house: Any, plan_of_lights: Lights) -> None:
    heard = house.start(plan_of_lights(99))
    heard.frame(2)
    heard.ask(Stop())
    heard.end()
    assert Unfinished(house.folder / "state").task() is None


def test_resuming_goes_on_with_counts_and_beginning_anew_does_not(house: Any, plan_of_lights: Lights) -> None:
    house.run(plan_of_lights(3))
    resumed = house.run(plan_of_lights(5), resume=True)
    assert [e.number for e in resumed.of(FrameTaken)] == [4, 5]
    anew = house.run(plan_of_lights(2))
    assert [e.number for e in anew.of(FrameTaken)] == [6, 7]
    assert anew.told()[-1].stacked == 7
    assert "holds 5 lights already" in " ".join(e.advice for e in anew.of(QualityAdvice))
    assert plan_of(house.night).targets[0].series[0].count == 2
    with pytest.raises(PlanError, match="no night to resume"):
        plan_of(house.folder)


def test_a_replay_that_is_resumed_takes_no_file_twice(house: Any, plan_of_lights: Lights) -> None:
    house.run(plan_of_lights(6), folder=house.folder / "live")
    lights = house.folder / "live" / "lights"
    house.run(plan_of_lights(2), FolderCamera(lights))
    again = house.run(plan_of_lights(None), FolderCamera(lights), resume=True)
    assert [e.number for e in again.of(FrameTaken)] == [3, 4, 5, 6]
    assert again.told()[-1].stacked == 6
    same_stack(house.folder / "live/stacks/M51_20s.fits", house.night / "stacks/M51_20s.fits")


def test_a_sub_rejected_by_hand_stays_out_after_a_break(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(99), camera_of(speed=1000.0))
    heard.frame(5)
    heard.ask(Reject(2))
    heard.until(lambda e: getattr(e, "by_hand", False))
    heard.quit()
    again = house.start(plan_of_lights(99), folder=house.night, resume=True, paused=True)
    again.state(State.PAUSED)
    assert again.ask(Stop()).ok
    told = again.end()
    assert [e for e in told if getattr(e, "by_hand", False)][-1].number == 2
    assert told[-1].rejected == 1


class Sky(SimulatedCamera):
    """Takes no time, but lets the night's clock go on by as much."""

    night: datetime = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

    def expose(self, exposure: Exposure, *rest: Any) -> Frame:
        frame = super().expose(exposure, *rest)
        self.night += timedelta(seconds=exposure.seconds or 0.0)
        return frame


def test_a_clock_time_ends_the_lights_and_what_follows_them_is_taken_all_the_same(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    camera = camera_of(kind=Sky)
    plan = plan_of_lights(
        None,
        ends=(AtClock(hour=3, minute=2),),
        timezone="UTC",
        after=(After.FLATS, After.DARKS),
        flats=Flats(count=3),
        darks=Darks(count=2),
    )
    heard = house.run(plan, camera, now=lambda: camera.night)
    assert len(taken(heard)) == 6
    advice = [e.advice for e in heard.of(QualityAdvice) if e.subject == "plan"]
    assert advice == ["The lights end: 03:02 (03:02)."]
    flats = [open_frame(house.night / file) for file in taken(heard, Kind.FLAT)]
    assert len(flats) == 3
    for flat in flats:
        level = float(np.median(flat.pixels)) / flat.facts.saturation_adu
        assert 0.4 < level < 0.6
    dark_flats = [open_frame(house.night / file) for file in taken(heard, Kind.DARK_FLAT)]
    assert {f.facts.exposure.seconds for f in dark_flats} == {
        float(np.median([f.facts.exposure.seconds for f in flats]))
    }
    darks = [open_frame(house.night / file) for file in taken(heard, Kind.DARK)]
    assert [f.facts.exposure.seconds for f in darks] == [20.0, 20.0]


def test_flats_without_light_are_left_out_with_a_sentence(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    plan = plan_of_lights(
        1, after=(After.FLATS, After.DARKS), flats=Flats(count=3, longest_s=0.25), darks=Darks(count=2)
    )
    heard = house.run(plan, camera_of(flat_seconds=50.0))
    assert not taken(heard, Kind.FLAT)
    assert len(taken(heard, Kind.DARK)) == 2
    assert "too faint for flats" in str(heard.engine.failure)


def test_darks_that_light_gets_into_are_refused_and_the_rest_goes_on(house: Any, camera_of: Any) -> None:
    class Leaky(SimulatedCamera):
        def expose(self, exposure: Exposure, *rest: Any) -> Frame:
            if exposure.kind is Kind.DARK:
                light = super().expose(replace(exposure, kind=Kind.LIGHT), *rest)
                return Frame(replace(light.facts, exposure=exposure), light.pixels)
            return super().expose(exposure, *rest)

    series = (
        Series(kind=Kind.DARK, exposure_s=30.0, count=20),
        Series(kind=Kind.BIAS, exposure_s=0.0, count=3),
    )
    heard = house.run(Plan(targets=(Target(series=series),), camera="simulated"), camera_of(kind=Leaky))
    assert "Put the cap on" in str(heard.engine.failure)
    assert len(list((house.night / "refused").iterdir())) == 2
    assert not list((house.night / "darks").iterdir())
    assert len(taken(heard, Kind.BIAS)) == 3
    assert not taken(heard, Kind.DARK)


class Guider:
    """A guider that does as a test says."""

    def __init__(self) -> None:
        self.state = GuidingState.GUIDING
        self.rms = GuideRms(0.3, 0.4, 50)
        self.dithers: list[tuple[float, float]] = []
        self.exposing = threading.Event()

    def dither(self, dither: Dither, arcsec_per_px: float, cancel: Any = None) -> Dithered:
        assert not self.exposing.is_set()
        self.dithers.append((dither.amount_px, round(arcsec_per_px, 2)))
        return Dithered(True, 0.0)

    def close(self) -> None:
        pass


def test_dithers_come_between_lights_and_never_after_the_last(house: Any, plan_of_lights: Lights) -> None:
    guider = Guider()
    plan = plan_of_lights(
        5,
        dither=Dither(amount_px=4.0, every=2, settle=Settle(seconds=0, timeout_s=1)),
        rig=RigOverrides(focal_mm=500.0),
    )
    heard = house.run(plan, guider=guider)
    assert guider.dithers == [(4.0, 1.55), (4.0, 1.55)]
    header = fits.getheader(house.night / taken(heard)[0])
    assert (header["GUIDERMS"], header["FOCALLEN"]) == (0.5, 500.0)


def test_without_a_focal_length_nothing_is_dithered_and_said_once(house: Any, plan_of_lights: Lights) -> None:
    guider = Guider()
    heard = house.run(plan_of_lights(4, dither=Dither()), guider=guider)
    assert not guider.dithers
    assert len([e for e in heard.of(QualityAdvice) if e.subject == "dither"]) == 1


def test_a_lost_guide_star_holds_the_sequence_until_it_is_back(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    guider = Guider()
    heard = house.start(plan_of_lights(4), camera_of(speed=300.0), guider=guider)
    heard.until(lambda e: isinstance(e, ExposureStarted) and e.number == 2)
    guider.state = GuidingState.LOST
    assert heard.state(State.PAUSED).why == "the guide star is lost"
    count = len(heard.of(FrameTaken))
    assert [e.serious for e in heard.of(QualityAdvice) if e.subject == "guiding"] == [True]
    guider.state = GuidingState.GUIDING
    heard.state(State.EXPOSING)
    heard.end()
    assert len(heard.of(FrameTaken)) == 4 > count


def test_another_target_begins_another_stack(house: Any) -> None:
    targets = tuple(Target(name=name, series=(Series(exposure_s=20.0, count=2),)) for name in ("M51", "M31"))
    heard = house.run(Plan(targets=targets, camera="simulated"))
    for name in ("M51", "M31"):
        assert fits.getheader(house.night / "stacks" / f"{name}_20s.fits")["STACKCNT"] == 2
    assert isinstance(heard.told()[-1], SeriesFinished)
    assert [e.state for e in heard.of(StateChanged)] == [State.EXPOSING, State.STOPPING]


def test_start_takes_up_what_was_broken_off_before_this_engine_once_its_disk_is_there(
    house: Any, plan_of_lights: Lights
) -> None:
    first = house.start(plan_of_lights(4))
    first.frame(2)
    first.quit()
    away = house.night.rename(house.folder / "away")
    engine = house.start(None, stay=True)
    with pytest.raises(PlanError, match="mount its disk"):
        engine.ask(Start())
    away.rename(house.night)
    assert engine.ask(Start()).ok
    engine.state(State.IDLE)
    assert engine.engine.status().stacked == 4
    engine.quit()


def test_alerts_are_run_for_what_happens_and_not_for_what_is_recalled(
    house: Any, plan_of_lights: Lights
) -> None:
    log = house.folder / "log"
    command = f"sh -c 'cat >> {log}'"
    alerts = Alerts(commands={"series-finished": command, "sub-stacked": command}, timeout_s=5)
    for count in (2, 3):
        house.run(plan_of_lights(count, alerts=alerts), resume=count == 3)
    kinds = sorted(line.split('"')[3] for line in log.read_text().splitlines())
    assert kinds.count("SeriesFinished") == 2
    assert kinds.count("SubStacked") <= 3


def test_the_sequence_holds_while_the_target_crosses_the_meridian(house: Any) -> None:
    night, begun = datetime(2026, 11, 20, tzinfo=UTC), time.monotonic()

    def now() -> datetime:
        return night + timedelta(seconds=300 * (time.monotonic() - begun))

    crossing_soon = hour_angle_deg(night, 0.0, 0.0, 0.0) % 360 + 0.5  # two minutes later
    target = Target(
        name="M51",
        series=(Series(exposure_s=20.0, count=40),),
        ra_deg=crossing_soon % 360,
        dec_deg=47.0,
        hold=MeridianHold(before_min=0.5, after_min=2.0),
    )
    site = Site(latitude_deg=50.0, longitude_deg=0.0)
    heard = house.start(Plan(targets=(target,), camera="simulated", site=site), now=now)
    assert heard.state(State.PAUSED).why == "M51 crosses the meridian"
    held = now()
    heard.state(State.EXPOSING)
    assert now() - held > timedelta(minutes=1)
    heard.engine.quit()
    heard.end()


def test_an_engine_that_goes_on_by_itself_waits_for_its_camera(house: Any, plan_of_lights: Lights) -> None:
    class Late(SimulatedCamera):
        asked_to_open = 0

        def open(self) -> None:
            self.asked_to_open += 1
            if self.asked_to_open == 1:
                raise CameraNotFound("It is not connected.")
            super().open()

    house.run(plan_of_lights(1))
    plan = plan_of_lights(2, resume=Resume.AUTO)
    camera = Late(SkyPlan(size=(200, 256), target="M51"), speed=2000.0)
    heard = house.run(plan, camera, resume=True)
    assert heard.engine.failure is None
    assert [e.number for e in heard.of(FrameTaken)] == [2]
    assert [e.message for e in heard.of(CameraFault)] == ["It is not connected. Looking for it."]
