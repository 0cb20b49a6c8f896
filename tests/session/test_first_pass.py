"""Which subs the first pass of an exact stack takes, and that it takes enough of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from starwell.align.transform import Transform
from starwell.camera.sky import Mount, Scene, SkyPlan, Trail
from starwell.session.build import Method
from starwell.session.first_pass import first_pass, groups, spread
from starwell.stack.kernels import Kernel

SIZE = (200, 300)


def shifts(*xy: tuple[float, float]) -> dict[int, Transform]:
    return {i + 1: Transform.similarity(0.0, 1.0, x, y) for i, (x, y) in enumerate(xy)}


def test_ten_subs_are_taken_whole_begun_by_seven_spread_over_them() -> None:
    chosen = first_pass(shifts(*[(0, 0)] * 10), SIZE, 128)
    assert sorted(chosen) == list(range(1, 11))
    assert chosen[:7] == spread(range(1, 11))


@pytest.mark.parametrize(("subs", "taken"), [(40, 20), (100, 20), (160, 20), (400, 50), (1200, 128)])
def test_of_more_an_eighth_are_taken_evenly_over_the_night(subs: int, taken: int) -> None:
    chosen = first_pass(shifts(*[(0, 0)] * subs), SIZE, 128)
    assert len(chosen) == taken
    assert max(np.diff([0, *sorted(chosen), subs + 1])) <= subs / taken + 1
    assert spread(range(1, 21)) == [1, 4, 7, 11, 14, 17, 20]


def test_of_a_season_as_many_as_asked_for_are_taken_from_end_to_end() -> None:
    chosen = first_pass(shifts(*[(i % 5, 0) for i in range(1000)]), SIZE, 100)
    assert len(chosen) == len(set(chosen)) == 100
    assert (min(chosen), max(chosen)) == (1, 1000)
    assert max(np.diff(sorted(chosen))) <= 11


def test_sky_that_few_subs_saw_is_not_left_to_chance() -> None:
    aside = dict.fromkeys((101, 203, 307, 411), (150.0, 0.0))
    poses = shifts(*[aside.get(i, (0.0, 0.0)) for i in range(1, 501)])
    chosen = first_pass(poses, SIZE, 20)
    assert set(chosen) == set(spread(range(1, 501), 20)), "what they saw on the reference, others saw too"
    aside = dict.fromkeys(range(1, 496), (-150.0, 0.0))
    poses = shifts(*[aside.get(i, (0.0, 0.0)) for i in range(1, 501)])
    assert set(range(496, 501)) <= set(first_pass(poses, SIZE, 20)), "only these saw the right half"


@pytest.mark.parametrize(("subs", "lengths"), [(1, [1]), (128, [128]), (129, [64, 65]), (300, [100] * 3)])
def test_groups_are_alike_and_hold_every_sub_once_in_order(subs: int, lengths: list[int]) -> None:
    made = groups(range(subs), 128)
    assert [len(group) for group in made] == lengths
    assert [n for group in made for n in group] == list(range(subs))


def test_a_mean_of_some_subs_judges_all_of_them_as_well_as_their_own(night: Callable[..., Any]) -> None:
    plan = SkyPlan(
        size=(160, 200),
        subs=48,
        seconds=20.0,
        scene=Scene(stars=50, faintest_e=3000.0, brightest_e=80_000.0),
        mount=Mount(drift_px=(0.05, 0.02), dither_px=6.0),
        trails=(Trail(5, 30.0, 0.6, 3000.0), Trail(30, 10.0, -0.4, 3000.0)),
    )
    numbers = range(1, 49)
    some, every = night(plan), night(plan)
    few = some.exact(numbers, method=Method(Kernel.LANCZOS, threads=2, group=16))
    whole = every.exact(numbers)
    noise, best = some.told_noise().reached_e, every.told_noise().reached_e
    assert noise == pytest.approx(best, rel=0.01)
    apart = few.stack.mean() - whole.stack.mean()
    assert apart.std() < 0.2 * best[0] / some.told_noise().egain
