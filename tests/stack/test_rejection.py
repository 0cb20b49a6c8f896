"""Who is masked and who is not: the noise model against skies of known truth."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import sep

from starwell.align.transform import Transform
from starwell.frame import Float64
from starwell.stack import judge
from starwell.stack.exact import second_pass
from starwell.stack.ledger import unpack
from starwell.stack.scene import STAR_ADU, survey
from starwell.threads import Threads


def test_a_clean_sky_loses_nothing_to_rejection(make_field: Any, stack_up: Any) -> None:
    field = make_field(size=(384, 384))
    moves = [Transform()] * 60
    stack, added = stack_up(field, moves, field.sub)
    plain, _ = stack_up(field, moves, field.sub, reject=False)
    sigma = field.sigma_e() / np.sqrt(60)
    mean, unclipped = stack.mean(0), plain.mean(0)
    assert mean.std() / unclipped.std() == pytest.approx(1.001, abs=0.01)
    assert abs((mean - unclipped).mean()) < 0.02 * sigma
    assert mean.std() == pytest.approx(sigma, rel=0.01)
    masked = np.mean([a.masked_fraction for a in added[7:]])
    assert masked == pytest.approx(3.2e-5, abs=8e-5)
    assert all(0.98 < a.entry.scatter[0] < 1.02 for a in added[7:])
    assert not any(a.trails for a in added)


def test_the_corner_of_a_vignetted_field_is_clipped_like_its_centre(make_field: Any, stack_up: Any) -> None:
    y, x = np.mgrid[:32, :32]
    r2 = (((x - 15.5) / 15.5) ** 2 + ((y - 15.5) / 15.5) ** 2) / 2
    flat = (1 - 0.35 * r2).astype(np.float32)
    a = np.repeat(np.repeat(flat, 16, 0), 16, 1)
    parts = a > 0.9, a < 0.75
    clipped, errors, models = np.zeros((3, 2)), [], []
    for seed in range(3):  # one field clips too few pixels to tell the rates apart from each other
        field = make_field(size=(512, 512), flat=flat, sky_e=30.0, read_noise_e=3.0, seed=seed)
        stack, _ = stack_up(field, [Transform()] * 40, field.sub)
        clipped[seed] = [stack.sums.masked[0][part].mean() for part in parts]
        errors.append(stack.mean(0) - 30.0)
        models.append(stack.sums.variance(0))
    centre, corner = clipped.mean(axis=0)
    assert corner == pytest.approx(centre, rel=0.2)
    for error, model in zip(errors, models, strict=True):
        assert abs(error[a < 0.75].mean()) < 0.05 * np.sqrt(model[a < 0.75].mean())
        for part in parts:
            assert error[part].std() / np.sqrt(model[part].mean()) == pytest.approx(1, abs=0.02)


def bright_stars() -> Float64:
    rng = np.random.default_rng(7)
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(30, 226, 6), np.linspace(30, 226, 6)))
    flux = 10 ** rng.uniform(4.5, 5.5, x.size)
    return np.column_stack([x + rng.uniform(-3, 3, x.size), y + rng.uniform(-3, 3, x.size), flux])


def test_seeing_costs_bright_stars_less_than_a_percent_of_their_light(
    make_field: Any, stack_up: Any, dithers: Any
) -> None:
    field = make_field(stars=bright_stars())
    moves = dithers(40)
    rng, state, fwhm = np.random.default_rng(9), 0.0, []
    for _ in moves:
        state = 0.8 * state + 0.6 * rng.normal()
        fwhm.append(3.0 * np.exp(0.15 * state))
    stack, added = stack_up(field, moves, lambda i: field.sub(i, moves[i], fwhm_px=fwhm[i]))
    truth, _ = stack_up(
        field, moves, lambda i: field.sub(i, moves[i], fwhm_px=fwhm[i], noise=False), reject=False
    )
    x, y, _ = field.stars.T

    def light(pixels: Any) -> Float64:
        return np.asarray(sep.sum_circle(pixels - np.float32(100), x, y, 8.0)[0])

    known = light(truth.mean(0))
    live = light(stack.mean(0)) / known - 1
    assert abs(live.mean()) < 0.01
    assert live.std() < 0.01
    entries = [a.entry for a in added]
    for _ in second_pass(stack, entries, lambda i: field.sub(i, moves[i], fwhm_px=fwhm[i])):
        pass
    exact = light(stack.mean(0)) / known - 1
    assert abs(exact.mean()) < 0.01
    assert exact.std() < 0.01


@pytest.mark.parametrize(("where", "sigmas"), [(0, 10.0), (3, 10.0), (22, 14.0)])
def test_a_trail_in_any_sub_leaves_nothing_on_the_sky(
    make_field: Any, stack_up: Any, dithers: Any, trail_e: Any, where: int, sigmas: float
) -> None:
    field, moves = make_field(size=(384, 384)), dithers(25)
    trail = trail_e(field.size, sigmas * field.sigma_e(), (30, 60), (350, 300), 2.5)
    stack, added = stack_up(
        field, moves, lambda i: field.sub(i, moves[i], added=trail if i == where else None)
    )
    assert [bool(a.trails) for a in added] == [i == where for i in range(25)]
    y, x = np.nonzero(trail > 0.3 * trail.max())
    x, y = np.rint(moves[where].apply(np.stack([x, y], axis=1))).astype(int).T
    inside = (x >= 8) & (x < 376) & (y >= 8) & (y < 376)
    left = stack.mean(0)[y[inside], x[inside]].mean() - field.sky_e
    assert abs(left) < 0.1 * field.sigma_e() / 5


@pytest.mark.parametrize("sigmas", [10.0, 18.0])
def test_a_trail_across_a_nebulas_core_does_not_hide_behind_the_star_term(
    make_field: Any, stack_up: Any, dithers: Any, trail_e: Any, sigmas: float
) -> None:
    def nebula(x: Float64, y: Float64) -> Float64:
        return 2000 * np.exp(-((x - 192) ** 2 + (y - 192) ** 2) / (2 * 45**2))

    field, moves = make_field(size=(384, 384), extra=nebula), dithers(25, seed=5)
    sigma, where = np.sqrt(2104.0), 12
    core = field.light(moves[where]) > 1500
    trail = core * trail_e(field.size, sigmas * sigma, (100, 120), (300, 270), 2.5)
    stack, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i], added=trail if i == where else None))
    y, x = np.nonzero(trail > 0.3 * trail.max())
    x, y = np.rint(moves[where].apply(np.stack([x, y], axis=1))).astype(int).T
    left = (stack.mean(0) - field.light())[y, x].mean()
    assert abs(left) < 0.3 * sigma / 5


def test_three_trails_through_one_pixel_leave_nothing(make_field: Any, stack_up: Any, trail_e: Any) -> None:
    field = make_field(size=(384, 384))
    angles = {0: 0.3, 5: 1.4, 15: 2.5}
    trails = {
        i: trail_e(field.size, 12 * field.sigma_e(), (192, 192), (192 + np.cos(a), 192 + np.sin(a)), 2.5)
        for i, a in angles.items()
    }
    stack, _ = stack_up(field, [Transform()] * 30, lambda i: field.sub(i, added=trails.get(i)))
    y, x = np.nonzero(sum(trails.values()) > 6 * field.sigma_e())
    left = stack.mean(0)[y, x].mean() - field.sky_e
    assert abs(left) < 0.1 * field.sigma_e() / np.sqrt(30)
    assert stack.sums.count[0, 190:195, 190:195].min() >= 26


def test_a_cosmic_ray_goes_with_its_surroundings(make_field: Any, stack_up: Any) -> None:
    field = make_field(size=(128, 128))
    ray = np.zeros(field.size)
    ray[60:63, 70:74] = 12 * field.sigma_e()
    _, added = stack_up(field, [Transform()] * 12, lambda i: field.sub(i, added=ray if i == 9 else None))
    y, x = np.divmod(unpack(added[9].entry.masks[0]), 128)
    masked = set(zip(x.tolist(), y.tolist(), strict=True))
    assert {(x, y) for x in range(68, 76) for y in range(59, 64)} <= masked
    assert len(masked) < 80


def test_a_scene_knows_stars_from_nebulae() -> None:
    y, x = np.mgrid[:128, :128].astype(np.float32)
    nebula = 2000 * np.exp(-((x - 64) ** 2 + (y - 64) ** 2) / (2 * 25**2))
    star = 1000 * np.exp(-((x - 30) ** 2 + (y - 90) ** 2) / 2)
    half = (nebula + star + 100).astype(np.float32)
    scene = survey(lambda y0, y1: half[y0:y1].copy(), np.empty(half.shape, np.uint16), 3.0, Threads(2).each)
    assert STAR_ADU * scene.star[90, 30] == pytest.approx(0.2 * 1000, rel=0.1)
    assert STAR_ADU * scene.star[64, 64] < 0.2 * 30
    assert scene.low.shape == (16, 16)


def test_the_scatter_of_a_turned_field_is_that_of_all_its_phases(
    make_field: Any, stack_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = make_field(size=(768, 192))
    stack, _ = stack_up(field, [Transform()] * 12, field.sub)
    for number, deg in ((20, 0.11), (21, 0.2), (22, -0.3)):
        move = Transform.similarity(deg, 1.0, 0.3, 0.4)
        sub = stack.contribution(field.sub(number, move), field.entry(number, move))
        scatter = []
        for heights in (judge._MOST_SAMPLES, 1000):
            monkeypatch.setattr(judge, "_MOST_SAMPLES", heights)
            one = judge.Judge(stack.rules(sub, stack.scenes), stack.size, stack.fwhm_px)
            one.measure_scatter(partial(stack._compared, sub), stack.each)
            scatter += one.scatter
            monkeypatch.undo()
        assert scatter[0] == pytest.approx(scatter[1], rel=0.025)
