"""Where subs wait, less is done on the way; the stack is the same to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from starwell.camera.sky import Cloud, Mount, Scene, SkyPlan, Trail, Weather
from starwell.session.events import StackMeasured, StackStarted, SubStacked

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(160, 208),
    subs=12,
    seconds=20.0,
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
    trails=(Trail(1, peak_sigma=15.0),),
)


def hurried(night: Any, subs: int) -> Any:
    """All subs but the last come while more wait."""
    for number in range(1, subs + 1):
        night.events += night.pipeline.feed(night.frame(number), more=number < subs)
    return night


def assert_same_stack(one: Any, other: Any) -> None:
    for (name, a), (_, b) in zip(
        one.pipeline.stack.state().items(), other.pipeline.stack.state().items(), strict=True
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("subs", [1, 4, 7, 11])
def test_what_waits_leaves_the_stack_as_it_is(subs: int, night: Make) -> None:
    assert_same_stack(night(PLAN).feed(range(1, subs + 1)), hurried(night(PLAN), subs))


def test_a_cloudy_last_sub_leaves_no_stack_unbegun(night: Make) -> None:
    plan = replace(PLAN, weather=Weather(clouds=(Cloud((4,), 0.02, 4.0),)))
    done = hurried(night(plan), 5)
    assert done.pipeline.members.count() == done.pipeline.stack.stacked == 4
    assert_same_stack(night(plan).feed(range(1, 6)), done)


def test_a_sub_taken_out_before_the_stack_is_begun_is_taken_out_of_it(night: Make) -> None:
    plain, quick = night(PLAN), night(PLAN)
    plain.feed(range(1, 5))
    for number in range(1, 5):
        quick.events += quick.pipeline.feed(quick.frame(number), more=True)
    assert quick.pipeline.stack is None
    for one in (plain, quick):
        one.events += one.pipeline.reject(2)
    assert quick.pipeline.stack.stacked == 3
    assert_same_stack(plain, quick)


def test_the_stack_is_begun_once_and_the_noise_told_of_every_fourth_and_the_last(night: Make) -> None:
    done = hurried(night(PLAN), 11)
    assert [event.why for event in done.told(StackStarted)] == ["the best of the first subs"]
    assert [event.number for event in done.told(SubStacked)] == list(range(1, 12))
    assert [event.stacked for event in done.told(StackMeasured)] == [8, 11]
