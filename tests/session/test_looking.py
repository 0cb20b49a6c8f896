"""What is shown of a night beside the growing stack: parts, maps, subs, histograms, boxes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from starwell.camera.sky import Mount, Scene, Sky, SkyPlan, Star, Trail, Weather
from starwell.errors import PlanError
from starwell.frame import Bayer, Facts, Frame, Planes
from starwell.picture.stretch import StretchLock
from starwell.sensor.model import SensorModel
from starwell.session.events import BoxMeasured, HistogramReady, PreviewReady
from starwell.session.face import Box, Look
from starwell.session.histogram import histogram
from starwell.session.views import Counts, Style, of_frame, of_stack
from starwell.stack.running import RunningStack

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(160, 208),
    subs=40,
    seconds=20.0,
    target="M51",
    scene=Scene(stars=50, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
    trails=(Trail(9, peak_sigma=40.0, angle_deg=10.0),),
)
SKY = Sky(PLAN)
LIGHTS = {n: SKY.light(n - 1) for n in range(1, 11)}
FIT = (40, 52)


def shown(night: Any, of: str, **more: Any) -> PreviewReady:
    """The picture that answers a look."""
    before = len(night.told(PreviewReady))
    night.stacking.showing.look(Look(of, **more))
    assert night.stacking.drained(30)
    fresh = [p for p in night.told(PreviewReady)[before:] if p.of == of]
    assert fresh
    return fresh[-1]


def array(picture: PreviewReady) -> np.ndarray[Any, Any]:
    shape = (picture.rows, picture.columns, *([3] if picture.channels == 3 else []))
    return np.frombuffer(picture.pixels, np.uint8).reshape(shape)


@pytest.fixture
def night(saved_night: Make) -> Any:
    """Ten subs stacked, one crossed by a satellite."""
    return saved_night("2026-11-19/M51", preview_px=FIT).feed(LIGHTS)


def test_the_whole_says_how_large_it_is(night: Any) -> None:
    whole = shown(night, "stack")
    assert (whole.rows, whole.columns, whole.full_rows, whole.full_columns) == (40, 52, 160, 208)
    assert (whole.crop, whole.scale, whole.number) == (None, 4.0, 10)


@pytest.mark.parametrize("top_down", [False, True])
def test_a_part_of_the_stack_is_the_whole_at_one_to_one(saved_night: Make, top_down: bool) -> None:
    frames = {n: Frame(replace(f.facts, top_down=top_down), f.pixels) for n, f in list(LIGHTS.items())[:4]}
    night = saved_night(preview_px=(160, 208)).feed(frames)
    whole = array(shown(night, "stack"))
    part = shown(night, "stack", crop=(30, 40, 100, 50))
    assert (part.crop, part.rows, part.columns, part.scale) == ((30, 40, 100, 50), 50, 100, 1.0)
    assert np.abs(array(part).astype(int) - whole[40:90, 30:130].astype(int)).max() <= 1
    beyond = shown(night, "stack", crop=(180, 150, 100, 50))
    assert beyond.crop == (108, 110, 100, 50)


def test_everything_there_is_can_be_looked_at(night: Any) -> None:
    for of in ("sub", "calibrated"):
        picture = shown(night, of)
        assert (picture.number, picture.full_rows, picture.full_columns) == (10, 160, 208)
        assert array(picture).std() > 2
        part = shown(night, of, crop=(10, 20, 64, 32))
        assert (part.rows, part.columns, part.crop) == (32, 64, (10, 20, 64, 32))
    whole = shown(night, "coverage", crop=(0, 0, 208, 160))
    counts = array(whole)[::-1].astype(int)
    held = night.stacks.latest.pipeline.stack.sums
    assert np.abs(counts - np.rint(255 * held.count[0] / held.count.max())).max() <= 1
    masked = array(shown(night, "masked"))
    assert masked.max() == 255
    assert (masked > 0).mean() > 0.02  # the trail, though each block of it is mostly sky
    with pytest.raises(PlanError, match="choose one of stack, sub"):
        night.stacking.showing.look(Look("moon"))
    with pytest.raises(PlanError, match="1600×1200"):
        night.stacking.showing.look(Look("stack", (0, 0, 2000, 20)))


def test_only_what_is_looked_at_and_the_stack_are_drawn(saved_night: Make) -> None:
    night = saved_night(preview_px=FIT, preview_every_s=0.0)
    night.feed({1: LIGHTS[1]})
    assert {p.of for p in night.told(PreviewReady)} == {"sub", "stack"}
    night.events.clear()
    night.feed({n: LIGHTS[n] for n in (2, 3)})
    assert {p.of for p in night.told(PreviewReady)} == {"stack"}
    night.stacking.showing.look(Look("calibrated"))
    night.feed({n: LIGHTS[n] for n in (4, 5)})
    assert [p.number for p in night.told(PreviewReady) if p.of == "calibrated"][-1] == 5
    assert [p.number for p in night.told(PreviewReady) if p.of == "stack"][-1] >= 4


def test_last_nights_stack_is_there_to_frame_on(saved_night: Make) -> None:
    first = saved_night("2026-11-18/M51", preview_px=FIT).feed({n: LIGHTS[n] for n in (1, 2, 3)})
    with pytest.raises(PlanError, match="no earlier stack"):
        first.stacking.showing.look(Look("reference"))
    first.stacking.close(finish=True)
    night = saved_night("2026-11-19/M51", preview_px=FIT).feed({n: LIGHTS[n] for n in (4, 5)})
    picture = shown(night, "reference")
    assert (picture.stack, picture.full_rows, picture.full_columns) == ("M51_20s", 160, 208)
    assert np.abs(array(picture).astype(int) - array(shown(first.again(preview_px=FIT), "stack"))).mean() < 3


def test_colour_is_shown_in_colour_pixel_by_pixel() -> None:
    frame = Sky(replace(PLAN, bayer=Bayer.GRBG)).light(0)
    view = of_frame(frame.pixels, frame.facts, Style(), 65535.0, (40, 52))
    assert view.size == (160, 208)
    assert view.whole((40, 52)).shape == (40, 52, 3)
    parts = [view.part((x, y, 40, 30)) for x, y in ((50, 60), (51, 61))]
    assert parts[0].shape == (30, 40, 3)
    assert np.array_equal(parts[0][1:, 1:], parts[1][:-1, :-1])


def test_histograms_come_with_every_sub_and_every_stack(night: Any) -> None:
    subs = [h for h in night.told(HistogramReady) if h.of == "sub"]
    assert [h.number for h in subs] == list(range(1, 11))
    assert all(len(h.counts) == 128 and sum(h.counts) == 160 * 208 for h in subs)
    sky = np.median(LIGHTS[10].pixels)
    step = (subs[-1].high_adu - subs[-1].low_adu) / 128
    assert subs[-1].low_adu + step * (np.argmax(subs[-1].counts) + 0.5) == pytest.approx(sky, abs=3 * step)
    shown(night, "stack")
    assert [h for h in night.told(HistogramReady) if h.of == "stack"]


def test_a_histogram_of_nothing_or_of_one_value_is_no_fault() -> None:
    assert histogram("sub", 1, np.full((4, 4), np.nan)) is None
    flat = histogram("sub", 1, np.full((4, 4), 700.0))
    assert flat is not None
    assert sum(flat.counts) == 16
    assert flat.low_adu == 700.0 < flat.high_adu


def test_a_box_measures_what_stands_out_of_the_sky_around_it(saved_night: Make) -> None:
    patch = tuple(
        Star(x=100 + 4.0 * i, y=80 + 4.0 * j, flux_e=160.0 * 16) for i in range(8) for j in range(8)
    )
    given = replace(PLAN.scene, given=patch, stars=40)
    still = replace(PLAN, scene=given, mount=Mount(), trails=(), weather=Weather(fwhm_px=5.0))
    sky = Sky(still)
    frames = {n: sky.light(n - 1) for n in range(1, 11)}
    night = saved_night().feed({n: frames[n] for n in (1, 2)})
    box = Box(104, 160 - 84 - 22, 20, 22)  # rows from the top of the upright picture
    night.stacking.showing.measure(box)
    assert night.stacking.drained(30)
    early = night.told(BoxMeasured)[-1]
    night.feed({n: frames[n] for n in range(3, 11)})
    late = night.told(BoxMeasured)[-1]
    assert len(night.told(BoxMeasured)) >= 9
    assert (late.x, late.y, late.width, late.height, late.stacked) == (104, 54, 20, 22, 10)
    assert late.signal_e == pytest.approx(160.0, rel=0.08)
    chip, sky_e = still.chip, 3.0 * 20.0
    expected = math.sqrt((160.0 + sky_e + chip.read_noise_e**2) / 10)
    assert late.noise_e == pytest.approx(expected, rel=0.15)
    assert late.snr == pytest.approx(late.signal_e / late.noise_e)
    assert early.snr * math.sqrt(5) == pytest.approx(late.snr, rel=0.2)
    night.stacking.showing.measure(Box())
    before = len(night.told(BoxMeasured))
    night.stacking.reject(3)
    assert night.stacking.drained(30)
    assert len(night.told(BoxMeasured)) == before
    night.stacking.showing.measure(Box(500, 500, 9, 9))
    assert night.stacking.drained(30)
    assert night.told(BoxMeasured)[-1].snr is None


def test_a_look_at_16_megapixels_does_not_take_the_whole_stack() -> None:
    size = (3520, 4656)
    facts = Facts(shape=size)
    stack = RunningStack(size, Planes.of(facts), SensorModel(1.0, 2.0))
    noise = np.random.default_rng(1).normal(1000, 20, size[1])
    stack.sums.weight[:] = 1 << 16
    stack.sums.sum[:] = noise * (1 << 16)
    stack.sums.count[:] = 1
    spent = []
    for look in range(3):
        view = of_stack(stack, facts, Style(), StretchLock(), (360, 640))
        began = time.perf_counter()
        view.part((1000 + look, 900, 1600, 1200))
        spent.append(time.perf_counter() - began)
    for counts in (Counts(stack.sums.count, rare=False), Counts(stack.sums.masked, rare=True)):
        began = time.perf_counter()
        counts.whole((360, 640))
        spent.append(time.perf_counter() - began)
    # The least of the parts: other programs on the machine are not the picture's time.
    assert min(spent[:3]) < 0.6, spent
    assert min(spent[3:]) < 0.6, spent
