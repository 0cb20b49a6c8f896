"""Hot pixels of subs that come without a dark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Masters
from starwell.camera.sky import Chip, Flaw, Mount, Scene, Sky, SkyPlan
from starwell.frame import Bayer, Frame
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline

HOT_E_S = 20.0


def night(*, bayer: Bayer | None, dither_px: float, subs: int = 9) -> tuple[Sky, Pipeline]:
    sky = Sky(
        SkyPlan(
            size=(300, 400),
            bayer=bayer,
            scene=Scene(stars=70),
            mount=Mount(dither_px=dither_px),
            chip=Chip(hot=(Flaw(60, HOT_E_S),)),
        )
    )

    def reread(number: int) -> Frame:
        frame = sky.light(number - 1)
        return Frame(replace(frame.facts, number=number), frame.pixels)

    pipeline = Pipeline(Intake(Calibrator(Masters(), reread(1).facts), Masters()), reread)
    for number in range(1, subs + 1):
        list(pipeline.feed(reread(number)))
    return sky, pipeline


def named(pipeline: Pipeline, number: int) -> set[tuple[int, int]]:
    isolated = pipeline.members[number].isolated
    assert isolated is not None
    return {(int(x), int(y)) for x, y in isolated}


@pytest.mark.parametrize(("bayer", "dither_px"), [(None, 0.0), (None, 8.0), (Bayer.RGGB, 8.0)])
def test_hot_pixels_are_named_from_the_subs_alone(bayer: Bayer | None, dither_px: float) -> None:
    sky, pipeline = night(bayer=bayer, dither_px=dither_px)
    hot = {(int(x), int(y)) for x, y in sky.silicon.hot_xy[0]}
    found = named(pipeline, 9)
    assert len(found & hot) >= 0.9 * len(hot)
    assert len(found - hot) <= 2


def test_an_undithered_mono_stack_shows_no_hot_pixels() -> None:
    sky, pipeline = night(bayer=None, dither_px=0.0)
    assert pipeline.stack is not None
    mean = pipeline.stack.mean(0) * pipeline.intake.model.egain
    sky_e = float(np.median(mean))
    left = np.array([mean[y, x] - sky_e for x, y in sky.silicon.hot_xy[0]])
    assert np.quantile(left, 0.9) < 0.05 * HOT_E_S * sky.plan.seconds


def test_a_colour_sensor_that_never_moved_is_left_alone() -> None:
    _, pipeline = night(bayer=Bayer.RGGB, dither_px=0.0)
    assert named(pipeline, 9) == set()


def test_undo_and_redo_fill_the_same_pixels() -> None:
    _, pipeline = night(bayer=Bayer.RGGB, dither_px=8.0)
    assert pipeline.stack is not None
    before = pipeline.stack.sums.sum.copy()
    list(pipeline.reject(4))
    list(pipeline.restore(4))
    np.testing.assert_array_equal(pipeline.stack.sums.sum, before)
