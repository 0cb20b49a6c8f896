"""Stacking anew from disk: the same stack as if it had been begun like that, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.camera.sky import Mount, Scene, Sky, SkyPlan
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.session.events import QualityAdvice
from starwell.session.journal import MastersChosen, Restacked
from starwell.session.plan import MasterPaths

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(160, 208),
    subs=16,
    seconds=20.0,
    target="M51",
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
)
SKY = Sky(PLAN)
LIGHTS = {n: SKY.light(n - 1) for n in range(1, 12)}
LABEL = "M51_20s"


def some(first: int, last: int) -> dict[int, Any]:
    return {n: LIGHTS[n] for n in range(first, last + 1)}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for label, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other[label][name], err_msg=f"{label} {name}")


@pytest.fixture
def darks(tmp_path: Path) -> str:
    """A folder of darks."""
    folder = tmp_path / "darks"
    folder.mkdir()
    for i in range(5):
        dark = SKY.dark(i)
        fits.write(folder / f"d{i}.fits", dark.pixels, keywords_of(dark.facts))
    return str(folder)


def test_stacked_anew_is_stacked_anew_bit_by_bit(saved_night: Make) -> None:
    night, other = saved_night().feed(some(1, 10)), saved_night().feed(some(1, 10))
    before = night.sums()
    night.stacking.restack()
    assert_same(night.sums(), other.sums())
    assert_same(night.sums(), before)
    assert night.stacking.tally.stacked == 10
    assert [r.after for r in night.journal.records if isinstance(r, Restacked)] == [10]


def test_what_was_rejected_by_hand_stays_out_and_can_come_back(saved_night: Make) -> None:
    night = saved_night().feed(some(1, 8))
    night.stacking.reject(3)
    night.stacking.restack()
    assert night.stacking.drained(60)
    assert night.stacked() == {LABEL: [1, 2, 4, 5, 6, 7, 8]}
    night.stacking.restore(3)
    night.feed(some(9, 9))
    assert 3 in night.stacked()[LABEL]
    sums, stacked = night.sums(), night.stacked()
    (night.night.folder / "checkpoint" / "state").unlink(missing_ok=True)
    night.stacking.close(finish=False)
    resumed = night.again()
    assert resumed.stacked() == stacked
    for name, array in resumed.sums()[LABEL].items():
        np.testing.assert_allclose(array, sums[LABEL][name], rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("checkpoint", [True, False])
def test_other_masters_give_the_stack_that_begins_with_them(
    saved_night: Make, darks: str, checkpoint: bool
) -> None:
    night = saved_night().feed(some(1, 6))
    wanted = MasterPaths(dark=darks)
    night.stacking.use_masters(wanted, restack=True)
    night.feed(some(7, 10))
    assert night.stacking.masters[0] == wanted
    fresh = saved_night()
    fresh.stacking.use_masters(wanted, restack=True)
    fresh.feed(some(1, 10))
    assert_same(night.sums(), fresh.sums())
    assert night.stacking.masters[1].dark is not None
    if checkpoint:
        night.stacking.checkpoint()
        assert night.stacking.drained(60)
    resumed = night.again()
    assert_same(resumed.sums(), fresh.sums())
    assert resumed.stacking.masters[0] == wanted


def test_a_crash_while_it_stacks_anew_costs_nothing(saved_night: Make, darks: str) -> None:
    night = saved_night().feed(some(1, 9))
    night.stacking.checkpoint()
    night.stacking.use_masters(MasterPaths(dark=darks), restack=True)
    night.stacking.close(finish=False)  # in the midst of it
    fresh = saved_night()
    fresh.stacking.use_masters(MasterPaths(dark=darks), restack=True)
    fresh.feed(some(1, 11))
    assert_same(night.again().feed(some(10, 11)).sums(), fresh.sums())


@pytest.mark.parametrize("checkpoint", [True, False])
def test_masters_for_what_follows_begin_another_stack(
    saved_night: Make, darks: str, checkpoint: bool
) -> None:
    night = saved_night().feed(some(1, 5))
    night.stacking.use_masters(MasterPaths(dark=darks), restack=False)
    night.feed(some(6, 10))
    stacked = {LABEL: [1, 2, 3, 4, 5], f"{LABEL}-2": [6, 7, 8, 9, 10]}
    assert night.stacked() == stacked
    sums = night.sums()
    if checkpoint:
        night.stacking.checkpoint()
        assert night.stacking.drained(60)
    resumed = night.again().feed(some(11, 11))
    assert resumed.stacked() == stacked | {f"{LABEL}-2": [6, 7, 8, 9, 10, 11]}
    assert_same({LABEL: resumed.sums()[LABEL]}, {LABEL: sums[LABEL]})
    resumed.stacking.restack()
    assert resumed.stacking.drained(60)
    assert resumed.stacked() == {LABEL: list(range(1, 12))}


def test_masters_that_do_not_fit_change_nothing(saved_night: Make, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    folder.mkdir()
    for i in range(4):
        dark = Sky(SkyPlan(size=(100, 120))).dark(i)
        fits.write(folder / f"d{i}.fits", dark.pixels, keywords_of(dark.facts))
    night = saved_night().feed(some(1, 5))
    sums = night.sums()
    night.stacking.use_masters(MasterPaths(dark=str(folder)), restack=True)
    assert_same(night.sums(), sums)
    assert any(a.subject == "command" for a in night.told(QualityAdvice))
    assert not [r for r in night.journal.records if isinstance(r, MastersChosen)]
