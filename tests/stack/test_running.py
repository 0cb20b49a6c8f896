"""The running stack: exact undo, edges, threads, checkpoints, weights, defects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starwell.align.transform import Transform
from starwell.errors import FileDamaged, PlanError
from starwell.frame import Bayer, Colour
from starwell.measure.compare import Normalisation
from starwell.stack.kernels import Kernel, Scratch
from starwell.stack.ledger import State, pack, unpack
from starwell.stack.running import RunningStack
from starwell.stack.warmup import start


def fresh(field: Any, **options: Any) -> RunningStack:
    return RunningStack(field.size, field.planes(), field.model, **options)


def same(a: RunningStack, b: RunningStack, *names: str) -> bool:
    mine, theirs = a.sums.arrays(), b.sums.arrays()
    return all(np.array_equal(mine[name], theirs[name]) for name in names or mine)


EXACT = ("sum", "weight", "count", "masked", "odd_sum", "odd_weight")


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_a_sub_taken_out_leaves_the_sums_of_the_others_bit_by_bit(
    make_field: Any, stack_up: Any, dithers: Any, trail_e: Any, bayer: Bayer | None
) -> None:
    field = make_field(
        size=(192, 176), bayer=bayer, defects=((50, 60), (90, 31)), stars=np.array([(80, 90, 5e4)])
    )
    moves = [*dithers(9), Transform.similarity(180.02, 1, 176, 190), Transform.similarity(7, 1, 3, 2)]
    trail = trail_e(field.size, 15 * field.sigma_e(), (10, 20), (170, 180), 2.5)
    kernel = Kernel.LANCZOS if bayer is None else Kernel.LINEAR

    def sub(i: int) -> Any:
        return field.sub(i, moves[i], added=trail if i in (8, 9) else None)

    stack, added = stack_up(field, moves, sub, kernel=kernel)
    assert added[8].trails
    gone = (8, 0, 9, 10)
    for i in gone:
        assert stack.remove(sub(i), added[i].entry).state is State.REJECTED
    others = fresh(field, kernel=kernel)
    for i in range(len(moves)):
        if i not in gone:
            others.restore(sub(i), added[i].entry)
    assert same(stack, others, *EXACT)
    for i in gone:
        assert stack.restore(sub(i), added[i].entry).state is State.STACKED
    for i in gone:
        others.restore(sub(i), added[i].entry)
    assert same(stack, others, *EXACT)
    assert stack.stacked == others.stacked == len(moves)


def test_the_number_of_threads_changes_nothing(make_field: Any, stack_up: Any, dithers: Any) -> None:
    field = make_field(size=(160, 150), stars=np.array([(80, 90, 5e4)]))
    moves = dithers(10)
    one, first = stack_up(field, moves, lambda i: field.sub(i, moves[i]), threads=1)
    for threads in (2, 5):
        many, added = stack_up(field, moves, lambda i: field.sub(i, moves[i]), threads=threads)
        assert same(one, many)
        assert [a.entry for a in added] == [a.entry for a in first]


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_what_a_buffer_held_before_never_shows(
    make_field: Any, stack_up: Any, dithers: Any, monkeypatch: pytest.MonkeyPatch, bayer: Bayer | None
) -> None:
    stars = np.array([(80, 90, 5e6), (40, 40, 1e4)])
    field = make_field(size=(160, 150), stars=stars, bayer=bayer)
    moves = [*dithers(9, turn_deg=0.3), Transform.similarity(179.9, 1, 148, 157), Transform.similarity(20)]
    clean, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i]))
    take, rng = Scratch.take, np.random.default_rng(1)

    def poisoned(self: Scratch, name: str, shape: tuple[int, int], dtype: Any = np.float32) -> Any:
        buffer = take(self, name, shape, dtype)
        if not name.startswith("rows"):  # the zeros between colour pixels are meant to last
            buffer[...] = rng.integers(0, 2 if dtype == np.bool_ else 200, shape)
        return buffer

    monkeypatch.setattr(Scratch, "take", poisoned)
    dirty, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i]), threads=1)
    assert same(clean, dirty)


def test_a_checkpoint_carries_on_as_if_nothing_had_happened(
    make_field: Any, stack_up: Any, dithers: Any
) -> None:
    field = make_field(size=(160, 150), stars=np.array([(80, 90, 5e4)]))
    moves = dithers(20)

    def sub(i: int) -> Any:
        return field.sub(i, moves[i])

    whole, _ = stack_up(field, moves, sub)
    half, _ = stack_up(field, moves[:12], sub)
    resumed = fresh(field)
    resumed.resume({name: array.copy() for name, array in half.state().items()})
    for i in range(12, 20):
        resumed.add(sub(i), field.entry(i, moves[i]))
    assert same(whole, resumed)
    with pytest.raises(FileDamaged, match="does not fit"):
        RunningStack((100, 100), field.planes(), field.model).resume(half.state())


def test_the_edges_hold_as_many_subs_as_reach_them(make_field: Any, stack_up: Any) -> None:
    field = make_field(size=(120, 140), read_noise_e=0.5)
    moves = [Transform(tx=dx, ty=dy) for dx, dy in ((0, 0), (5.5, 0), (0, -7.25), (-3.0, 4.0))] * 4
    stack, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i]), reject=False)
    y, x = np.mgrid[:120, :140]
    expected = sum((x - m.tx >= 0) & (x - m.tx <= 139) & (y - m.ty >= 0) & (y - m.ty <= 119) for m in moves)
    assert np.array_equal(stack.sums.count[0], expected)
    assert np.array_equal(stack.sums.weight[0] > 0, expected > 0)
    rim = (expected > 0) & ((x < 6) | (x > 135) | (y < 6) | (y > 113))
    error = (stack.mean(0) - field.sky_e) * np.sqrt(np.maximum(expected, 1)) / field.sigma_e()
    assert np.abs(error[rim]).max() < 5.5
    assert abs(error[rim].mean()) < 0.15


def test_repaired_pixels_count_only_where_nothing_better_is(make_field: Any, stack_up: Any) -> None:
    field = make_field(size=(96, 96), defects=((40, 50),), hot={(40, 50): 500.0})
    still, _ = stack_up(field, [Transform()] * 9, field.sub, reject=False)
    assert still.mean(0)[50, 40] == pytest.approx(600, abs=20)
    assert still.sums.count[0, 50, 40] == 0
    assert still.sums.weight[0, 50, 40] > 0
    moves = [Transform(tx=4.0 * i) for i in range(9)]
    moved, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i]), reject=False)
    for i in range(9):
        assert moved.mean(0)[50, 40 + 4 * i] == pytest.approx(100, abs=25)


def test_a_cloudy_sub_counts_by_its_weight_on_the_references_scale(make_field: Any) -> None:
    field = make_field(size=(128, 128), stars=np.array([(64, 64, 8e4)]))
    stack = fresh(field)
    entries = {}
    for i in range(8):
        cloudy = i % 2 == 1
        background = ((100 - 0.5 * 100 + 3.0, 0.01, -0.02),) if cloudy else ((0.0, 0.0, 0.0),)
        entries[i] = replace(
            field.entry(i),
            normalisation=Normalisation(0.5 if cloudy else 1.0, background),
            weight=(0.25 if cloudy else 1.0,),
        )
    y, x = np.mgrid[:128, :128]

    def sub(number: int) -> Any:
        calibrated = field.sub(number)
        if number % 2:
            pixels = 0.5 * calibrated.pixels + 53 + 0.01 * x - 0.02 * y
            calibrated = replace(calibrated, pixels=pixels.astype(np.float32))
        return calibrated

    start(stack, [entries[i] for i in range(7)], sub)
    stack.add(sub(7), entries[7])
    assert stack.sums.weight[0, 5, 5] == 4 * 65536 + 4 * 16384
    truth = field.light()
    error = stack.mean(0) - truth
    assert abs(error.mean()) < 0.3
    assert stack.mean(0)[64, 64] == pytest.approx(truth[64, 64], rel=0.02)


def test_negative_skies_stay_negative(make_field: Any, stack_up: Any) -> None:
    field = make_field(size=(96, 96), sky_e=0.2, read_noise_e=1.5)
    stack, _ = stack_up(field, [Transform()] * 40, field.sub)
    assert stack.mean(0).mean() == pytest.approx(0.2, abs=0.01)
    assert stack.mean(0).min() < 0


def test_previews_are_the_mean_in_fewer_pixels(make_field: Any, stack_up: Any) -> None:
    field = make_field(size=(130, 150), stars=np.array([(60, 70, 1e5)]))
    stack, _ = stack_up(field, [Transform()] * 3, field.sub, reject=False)
    small = stack.mean(step=4)
    assert small.shape == (1, 32, 37)
    blocks = stack.mean(0)[:128, :148].reshape(32, 4, 37, 4).mean(axis=(1, 3))
    assert small[0] == pytest.approx(blocks, rel=1e-5)


def test_the_noise_read_from_half_stacks_is_the_noise(make_field: Any, stack_up: Any, dithers: Any) -> None:
    field = make_field(
        size=(512, 512),
        stars=np.column_stack([*np.random.default_rng(1).uniform(9, 500, (2, 40)), np.full(40, 2e4)]),
    )
    moves = dithers(40, reach=12)
    sigma = field.sigma_e() / np.sqrt(40)
    readings = {}
    for kernel in (Kernel.LANCZOS, Kernel.LINEAR):
        stack, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i]), kernel=kernel)
        noise = stack.sums.noise(0)
        assert list(noise) == [1, 2, 4, 8, 16]
        readings[kernel] = {block: one.sigma for block, one in noise.items()}
        core = (stack.mean(0) - field.light())[16:-16, 16:-16]
        blocks = core.reshape(60, 8, 60, 8).mean(axis=(1, 3))
        starless = np.abs(blocks) < 5 * np.median(np.abs(blocks))
        assert 8 * blocks[starless].std() == pytest.approx(sigma, rel=0.05)
    # linear weights of phase p leave (1 - p)² + p² of the variance along each axis
    points = np.stack(np.meshgrid(*2 * [np.arange(8.0, 512, 16)]), axis=-1).reshape(-1, 2)
    phases = np.array([move.inverse().apply(points) % 1 for move in moves])
    left = np.sqrt(np.mean(np.prod(1 - 2 * phases * (1 - phases), axis=-1)))
    assert readings[Kernel.LANCZOS][1] == pytest.approx(0.9 * sigma, rel=0.03)
    assert readings[Kernel.LINEAR][1] == pytest.approx(left * sigma, rel=0.02)
    assert readings[Kernel.LANCZOS][8] == pytest.approx(sigma, rel=0.08)
    assert readings[Kernel.LINEAR][8] == pytest.approx(readings[Kernel.LANCZOS][8], rel=0.03)


@pytest.mark.parametrize("fwhm", [2.5, 3.0, 4.0])
def test_a_lanczos_stack_is_as_sharp_as_its_subs(
    make_field: Any, stack_up: Any, dithers: Any, fwhm: float
) -> None:
    field = make_field(size=(96, 96), stars=np.array([(48.3, 47.8, 3e5)]))
    moves = dithers(40, reach=4, turn_deg=0.05)
    stack, _ = stack_up(field, moves, lambda i: field.sub(i, moves[i], fwhm_px=fwhm), fwhm_px=fwhm)
    stack_peak = (stack.mean(0) - 100)[44:52, 44:52].max()
    sub_peak = (field.light(None, fwhm) - 100)[44:52, 44:52].max()
    assert np.sqrt(sub_peak / stack_peak) <= 1.03


@pytest.mark.parametrize("fwhm", [2.5, 3.0])
@pytest.mark.parametrize("colour", [Colour.FULL, Colour.SUPER])
def test_stars_in_colour_neither_ring_nor_fringe(
    make_field: Any, stack_up: Any, dithers: Any, fwhm: float, colour: Colour
) -> None:
    field = make_field(size=(128, 128), stars=np.array([(64.3, 63.8, 3e5)]), bayer=Bayer.RGGB)
    moves = dithers(100, reach=6, turn_deg=0.05)
    stack, added = stack_up(
        field,
        moves,
        lambda i: field.sub(i, moves[i], fwhm_px=fwhm),
        kernel=Kernel.LINEAR,
        fwhm_px=fwhm,
        colour=colour,
    )
    step = 1 if colour is Colour.FULL else 2
    near = np.s_[:, 48 // step : 80 // step, 48 // step : 80 // step]
    star = stack.mean()[near] - 100
    peak = star.max(axis=(1, 2))
    assert (star.min(axis=(1, 2)) >= -0.01 * peak).all()
    limit = 0.05 if colour is Colour.FULL or fwhm == 3.0 else 0.08
    assert np.abs(star[0] - star[1]).max() <= limit * peak[1]
    assert not any(a.trails for a in added)
    assert np.mean([a.masked_fraction for a in added]) < 1e-3


def test_what_was_never_stacked_cannot_be_taken_out(make_field: Any) -> None:
    field = make_field(size=(64, 64))
    with pytest.raises(PlanError, match="never stacked"):
        fresh(field).remove(field.sub(0), field.entry(0))
    with pytest.raises(PlanError, match="positive weight"):
        fresh(field).add(field.sub(0), field.entry(0, weight=(0.0,)))


@given(st.sets(st.integers(0, 2**24 - 1), max_size=300))
@settings(max_examples=50)
def test_masks_survive_packing(indices: set[int]) -> None:
    flat = np.array(sorted(indices), np.int64)
    assert np.array_equal(unpack(pack(flat)), flat)
