"""The focus loop: right from doughnuts to sharp stars, and gone without a trace."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from starwell.camera.plan import Scene
from starwell.files.fits import read
from starwell.files.frames import open_frame
from starwell.frame import Bayer, Facts, Frame, Kind
from starwell.session.events import (
    ExposureStarted,
    FocusMeasured,
    FrameTaken,
    PreviewReady,
    State,
    StateChanged,
    SubStacked,
)
from starwell.session.face import Abort, Focus, Pause, Set, Start
from starwell.session.focus import Tries
from starwell.session.focus_frame import FocusFrame
from starwell.session.journal import FrameSaved
from starwell.session.night_files import Night

Lights = Callable[..., Any]
BRIGHT = Scene(stars=15, faintest_e=60_000.0, brightest_e=600_000.0)


def measured(number: int) -> Callable[[Any], bool]:
    return lambda e: isinstance(e, FocusMeasured) and e.number >= number


def ring_hfr(diameter_px: float) -> float:
    """Half the light of an even ring with a hole of 0.35."""
    return diameter_px / 2 * math.sqrt((1 + 0.35**2) / 2)


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_hfr_is_right_from_a_doughnut_of_30_px_to_sharp_and_the_best_is_kept(
    house: Any, plan_of_lights: Lights, camera_of: Any, bayer: Bayer | None
) -> None:
    camera = camera_of(speed=200.0, size=(400, 480), scene=BRIGHT, bayer=bayer)
    heard = house.start(None, camera, stay=True)
    ask = house.wire(heard)
    text = "camera = 'simulated'\n[[target]]\nname = 'M51'\n[[target.series]]\nexposure = 20\ncount = 3\n"
    assert ask(Start(text=text, paused=True)).ok
    heard.state(State.PAUSED)
    camera.defocus(30.0)
    assert ask(Focus(on=True, seconds=2.0)).ok
    seen = []
    for diameter in (30.0, 20.0, 10.0, 0.0):
        camera.defocus(diameter)
        now = len(heard.of(FocusMeasured)) + 2  # the frame at hand may have the focus of before
        seen.append(heard.until(measured(now)))
    assert [e.hfr_px for e in seen[:2]] == pytest.approx([ring_hfr(30), ring_hfr(20)], rel=0.06)
    hfrs = [e.hfr_px for e in seen]
    assert hfrs == sorted(hfrs, reverse=True)
    assert 1.5 < hfrs[-1] < 2.2
    last = seen[-1]
    assert last.best_hfr_px == min(e.hfr_px for e in heard.of(FocusMeasured))
    assert last.low_px <= last.best_hfr_px + 0.1 < last.high_px
    assert last.celsius == 20.0
    assert len(last.corners) == 9
    known = [c for c in last.corners if c is not None]
    assert known == pytest.approx([hfrs[-1]] * len(known), rel=0.4)
    assert heard.engine.status().mode == "focus"
    assert heard.engine.status().state is State.EXPOSING
    assert ask(Focus(on=False)).ok
    heard.state(State.PAUSED)
    assert heard.engine.status().mode == ""
    assert not heard.of(ExposureStarted)
    assert not Night(camera and heard.engine.folder).frames(Kind.LIGHT)
    heard.quit()


def test_the_brightest_star_and_the_corners_are_shown_pixel_by_pixel(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(9, seconds=100.0), camera_of(speed=100.0, scene=BRIGHT))
    ask = house.wire(heard)
    assert heard.until(lambda e: isinstance(e, ExposureStarted))
    assert ask(Focus(on=True)).message.startswith("Focus frames of 2 s")
    told = heard.until(measured(1))
    assert isinstance(told, FocusMeasured)
    star = heard.until(lambda e: isinstance(e, PreviewReady) and e.of == "focus")
    corners = heard.until(lambda e: isinstance(e, PreviewReady) and e.of == "corners")
    assert isinstance(star, PreviewReady)
    assert isinstance(corners, PreviewReady)
    assert (star.full_rows, star.full_columns, star.scale) == (200, 256, 1.0)
    assert star.crop is not None
    assert star.crop[2:] == (star.columns, star.rows)
    shown = np.frombuffer(star.pixels, np.uint8).reshape(star.rows, star.columns)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert shown.max() == 255
    at_edge = star.crop[0] in (0, 256 - star.columns) or star.crop[1] in (0, 200 - star.rows)
    assert at_edge or max(abs(y - star.rows // 2), abs(x - star.columns // 2)) <= 2
    assert corners.rows == corners.columns == 3 * (200 // 3) + 4
    assert told.peak_adu is not None
    assert not told.saturated
    assert ask(Set("gain", 50.0)).ok
    assert ask(Abort()).ok
    heard.state(State.PAUSED)
    assert heard.engine.status().mode == ""
    heard.quit()


def test_focusing_leaves_stack_numbers_and_counters_bit_by_bit_alone(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    plain = house.run(plan_of_lights(6), camera_of(), folder=house.folder / "plain")
    assert len(plain.of(SubStacked)) >= 6
    heard = house.start(plan_of_lights(6, seconds=20.0), camera_of(speed=200.0))
    ask = house.wire(heard)
    heard.frame(3)
    assert ask(Focus(on=True, seconds=1.0)).ok
    heard.until(measured(3))
    assert ask(Focus(on=False)).ok
    assert not ask(Focus(on=False)).ok
    heard.finished()
    heard.end()
    numbers = [e.number for e in heard.of(FrameTaken)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert [r.number for r in house.records if isinstance(r, FrameSaved)] == numbers
    stacks = [folder / "stacks" / "M51_20s.fits" for folder in (house.folder / "plain", house.night)]
    expected, got = (read(path).pixels for path in stacks)
    assert np.array_equal(expected, got)


def test_a_pause_in_the_loop_holds_when_it_ends(house: Any, plan_of_lights: Lights, camera_of: Any) -> None:
    heard = house.start(plan_of_lights(9, seconds=100.0), camera_of(speed=100.0))
    ask = house.wire(heard)
    heard.until(lambda e: isinstance(e, ExposureStarted))
    assert ask(Focus(on=True, seconds=5.0)).ok
    heard.until(measured(1))
    assert ask(Pause()).ok
    heard.until(measured(len(heard.of(FocusMeasured)) + 2))
    assert ask(Focus(on=False)).ok
    heard.state(State.PAUSED)
    assert ask(Start()).ok
    heard.until(lambda e: isinstance(e, StateChanged) and e.why == "Light")
    heard.quit()


def test_without_an_open_camera_it_says_what_to_do(house: Any) -> None:
    heard = house.start(None, stay=True)
    reply = house.wire(heard)(Focus(on=True))
    assert not reply.ok
    assert "--paused" in reply.message
    heard.quit()


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e6])
def test_an_impossible_length_is_refused(
    house: Any, plan_of_lights: Lights, camera_of: Any, seconds: float
) -> None:
    heard = house.start(plan_of_lights(9, seconds=1000.0), camera_of(speed=100.0))
    heard.until(lambda e: isinstance(e, ExposureStarted))
    reply = house.wire(heard)(Focus(on=True, seconds=seconds))
    assert not reply.ok
    assert "out of range" in reply.message
    heard.quit()


def test_the_shortest_stretch_with_95_percent_of_the_tries() -> None:
    tries = Tries()
    assert tries.span is None
    for hfr in [2.0 + 0.01 * k for k in range(19)] + [9.0, math.nan]:
        tries.add(hfr)
    assert tries.best == 2.0
    assert tries.span == pytest.approx((2.0, 2.18))


def test_a_frame_without_stars_says_nothing_and_fails_nothing() -> None:
    noise = np.random.default_rng(1).normal(500, 20, (90, 120)).astype(np.uint16)
    frame = FocusFrame(Frame(Facts(shape=(90, 120)), noise))
    assert frame.corners == (None,) * 9
    assert (frame.star_picture(1), frame.peak_adu, frame.saturated) == (None, None, False)
    assert frame.corner_picture(1).rows == 94


def test_a_file_that_counts_rows_from_the_bottom_is_shown_upright() -> None:
    y, x = np.mgrid[:200, :300]
    pixels = np.random.default_rng(1).normal(500, 5, (200, 300))
    pixels += 9000 * np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / 8)
    frame = Frame(Facts(shape=(200, 300)), pixels.astype(np.uint16))
    shown = FocusFrame(frame).star_picture(1)
    assert shown is not None
    assert shown.crop is not None
    left, top = shown.crop[:2]
    assert (left + 32, top + 32) == (60, 200 - 1 - 40)
    upright = FocusFrame(Frame(replace(frame.facts, top_down=True), frame.pixels))
    assert [c is None for c in upright.corners] == [False, *[True] * 8]
    assert [c is None for c in FocusFrame(frame).corners] == [*[True] * 6, False, True, True]


@pytest.mark.real
def test_a_real_focus_run_falls_and_rises_smoothly(real_data: Any) -> None:
    run = [open_frame(path) for path in sorted((real_data / "asi1600-focusrun").glob("*.FIT"))]
    run.sort(key=lambda frame: float(frame.facts.header["FOCUSPOS"]))
    where = np.array([float(frame.facts.header["FOCUSPOS"]) for frame in run])
    radii = np.array([FocusFrame(frame).stars.hfr_px for frame in run])
    best = int(radii.argmin())
    assert where[best] == 8025
    assert (np.diff(radii[: best + 1]) < 0).all()
    assert (np.diff(radii[best:]) > 0).all()
    for side in (where < 7900, where > 8090):
        line = np.polyfit(where[side], radii[side], 1)
        assert np.abs(np.polyval(line, where[side]) - radii[side]).max() < 0.7
