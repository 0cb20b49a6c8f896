"""Where pixels go, and what it does to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import sep
from hypothesis import given, settings
from hypothesis import strategies as st

from starwell.align.transform import Transform
from starwell.errors import PlanError
from starwell.frame import Bayer, Colour, Facts, Float32, Float64, Mask, Planes
from starwell.stack.kernels import Kernel, Scratch
from starwell.stack.ringing import low_skies
from starwell.stack.strips import Scale
from starwell.stack.warp import Warp, kernel_for

SIZE = (200, 240)
MONO = Planes.of(Facts(SIZE))
CENTRE = np.array([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])


def turned(deg: float, dx: float = 0.0, dy: float = 0.0, scale: float = 1.0) -> Transform:
    """A turn about the centre, then a shift."""
    turn = Transform.similarity(deg, scale)
    rest = CENTRE - turn.apply(CENTRE)
    return replace(turn, tx=float(rest[0]) + dx, ty=float(rest[1]) + dy)


def warped(warp: Warp, pixels: Float32, channel: int = 0, rows: int = 64) -> tuple[Float32, Mask]:
    """The whole output and where it is covered."""
    rows = min(rows, warp.tallest(rows))
    height, width = warp.output_size
    out, covered = np.zeros((height, width), np.float32), np.zeros((height, width), bool)
    scratch = Scratch()
    for y0 in range(0, height, rows):
        y1 = min(y0 + rows, height)
        out[y0:y1] = warp.band(pixels, channel, y0, y1, scratch)
        first, end = warp.valid(channel, y0, y1)
        x = np.arange(width)
        covered[y0:y1] = (x >= first[:, None]) & (x < end[:, None])
    return out, covered


def grid_of_stars() -> Float64:
    x, y = np.meshgrid(np.arange(25, 225, 24), np.arange(25, 185, 24))
    rng = np.random.default_rng(8)
    xy = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-2, 2, (x.size, 2))
    return np.column_stack([xy, np.full(x.size, 5e4)])


@pytest.mark.parametrize("kernel", Kernel)
def test_the_reference_itself_passes_unchanged_and_whole(kernel: Kernel) -> None:
    pixels = np.random.default_rng(1).normal(100, 10, SIZE).astype(np.float32)
    out, covered = warped(Warp(Transform(), MONO, SIZE, SIZE, kernel), pixels)
    assert np.array_equal(out, pixels)
    assert covered.all()


@pytest.mark.parametrize(
    ("deg", "turn"),
    [(180.0, lambda a: a[::-1, ::-1]), (90.0, lambda a: np.rot90(a, -1)), (-90.0, lambda a: np.rot90(a))],
)
def test_quarter_turns_and_flips_are_exact(deg: float, turn: Callable[[Float32], Float32]) -> None:
    pixels = np.random.default_rng(1).normal(100, 10, SIZE).astype(np.float32)
    expected = turn(pixels)
    matrix = np.rint(Transform.similarity(deg).matrix)
    corners = Transform.from_matrix(matrix).apply([(0, 0), (SIZE[1] - 1, SIZE[0] - 1)])
    matrix[:, 2] = -corners.min(axis=0)
    warp = Warp(Transform.from_matrix(matrix), MONO, SIZE, expected.shape, Kernel.LANCZOS)
    out, covered = warped(warp, pixels)
    assert np.array_equal(out, expected)
    assert covered.all()


@pytest.mark.parametrize(
    "transform",
    [
        turned(0, 5.37, -3.81),
        turned(0.02, 5.5, -3.25),
        turned(0.3, 1.2, 2.7),
        turned(0.34, 4.2, 2.7),
        turned(0.05, 3.3, 2.2, 1.0002),
        turned(180.03, 2.3, 4.4),
        turned(5.0, 1.1, 2.2),
        turned(37.0, 1.1, 2.2),
    ],
    ids=["shift", "0.02°", "0.3°", "0.34°", "scale", "flip", "5°", "37°"],
)
def test_stars_land_where_the_transform_says_with_their_light(make_field: Any, transform: Transform) -> None:
    field = make_field(size=SIZE, sky_e=0, stars=grid_of_stars())
    pixels = field.light(transform).astype(np.float32)
    out, covered = warped(Warp(transform, MONO, SIZE, SIZE, Kernel.LANCZOS), pixels)
    truth = field.light().astype(np.float32)
    inner = cv2.erode(covered.astype(np.uint8), np.ones((25, 25)), borderValue=0) == 1
    whole = [(x, y) for x, y, _ in field.stars if inner[round(y), round(x)]]
    x, y = np.array(whole).T
    assert len(x) > 20
    moved, ideal = (sep.winpos(a, x, y, 1.3)[:2] for a in (out, truth))
    error = np.hypot(moved[0] - ideal[0], moved[1] - ideal[1])
    strips = abs(transform.b) < 0.02
    assert error.max() < ((0.01 if abs(transform.scale - 1) < 1e-9 else 0.015) if strips else 0.03)
    light, known = (sep.sum_circle(a, x, y, 9.0)[0] for a in (out, truth))
    assert light / known == pytest.approx(transform.scale**2, abs=1e-3 if strips else 2e-3)


@given(
    deg=st.floats(-180, 180),
    dx=st.floats(-40, 40),
    dy=st.floats(-40, 40),
    scale=st.sampled_from([1.0, 1.0001, 0.97]),
)
@settings(max_examples=25)
def test_what_is_covered_is_what_lies_on_the_sensor_and_nothing_leaks_in(
    deg: float, dx: float, dy: float, scale: float
) -> None:
    transform = turned(deg, dx, dy, scale)
    warp = Warp(transform, MONO, SIZE, SIZE, Kernel.LINEAR)
    yy, xx = np.mgrid[: SIZE[0], : SIZE[1]]
    out, covered = warped(warp, (10 + xx + 2 * yy).astype(np.float32))
    there = transform.inverse().apply(np.stack([xx, yy], axis=-1))
    off = np.minimum(there, np.array(SIZE[::-1]) - 1 - there).min(axis=-1)
    assert covered[off > 0.06].all()
    assert not covered[off < -1e-5].any()
    plane = 10 + there[..., 0] + 2 * there[..., 1]
    assert np.abs(out - plane)[covered].max(initial=0) < 0.12


@pytest.mark.parametrize(
    ("transform", "error"), [(Transform(tx=1.3, ty=2.4), 1e-4), (turned(0.2, 1.3, 2.4), 0.8)]
)
def test_bands_of_any_height_give_the_same_picture(transform: Transform, error: float) -> None:
    pixels = np.random.default_rng(3).normal(100, 10, SIZE).astype(np.float32)
    warp = Warp(transform, MONO, SIZE, SIZE, Kernel.LANCZOS)
    tall, _ = warped(warp, pixels, rows=200)
    low, covered = warped(warp, pixels, rows=16)
    assert np.abs(tall - low)[covered].max() < error


def test_a_saturated_block_leaves_no_dark_ring() -> None:
    rng = np.random.default_rng(6)
    pixels = rng.normal(300, 15, SIZE).astype(np.float32)
    pixels[90:97, 100:107] = 60000
    for transform in (Transform(tx=0.5, ty=0.5), turned(3.0, 0.4, 0.3)):
        out, covered = warped(Warp(transform, MONO, SIZE, SIZE, Kernel.LANCZOS), pixels)
        assert out[covered].min() > 300 - 7 * 15


@pytest.mark.parametrize("colour", [Colour.FULL, Colour.SUPER])
@pytest.mark.parametrize("bayer", [Bayer.RGGB, Bayer.GBRG])
@pytest.mark.parametrize("deg", [0.1, 180.1, 20.0])
def test_every_colour_plane_lands_on_the_same_grid(
    make_field: Any, colour: Colour, bayer: Bayer, deg: float
) -> None:
    planes = Planes.of(Facts(SIZE, bayer=bayer), colour)
    field = make_field(size=SIZE, sky_e=0, stars=grid_of_stars()[::3])
    transform = turned(deg, 1.3, -2.2)
    pixels = field.light(transform, 6.0).astype(np.float32)
    warp = Warp(transform, planes, SIZE, planes.output_size(SIZE), Kernel.LANCZOS)
    step = planes.output_step
    truth = field.light(None, 6.0)
    if step == 2:
        near = make_field(size=SIZE, sky_e=0, stars=field.stars - (0.5, 0.5, 0))
        truth = near.light(None, 6.0)[::2, ::2]
    for channel in range(3):
        out, covered = warped(warp, pixels, channel)
        inner = cv2.erode(covered.astype(np.uint8), np.ones((9, 9)), borderValue=0) == 1
        assert inner.mean() > 0.5
        assert np.abs(out - truth)[inner].max() < 0.02 * truth.max()


def test_colour_planes_ring_not_under_the_kernel_chosen_for_them() -> None:
    planes = Planes.of(Facts(SIZE, bayer=Bayer.RGGB))
    assert kernel_for(planes, 2.5) is Kernel.LINEAR
    assert kernel_for(planes, 4.5) is Kernel.LANCZOS
    assert kernel_for(MONO, 2.5, Kernel.CUBIC) is Kernel.CUBIC


@pytest.mark.parametrize("colour", [Colour.MONO, Colour.FULL, Colour.SUPER])
def test_pixels_that_lean_on_a_defect_are_named(colour: Colour) -> None:
    planes = Planes.of(Facts(SIZE, bayer=Bayer.RGGB), colour)
    transform = turned(0.4, 3.3, -1.6)
    size = planes.output_size(SIZE)
    warp = Warp(transform, planes, SIZE, size, Kernel.LINEAR)
    xy = np.array([(60, 80), (101, 57), (150, 121)])
    pixels = np.zeros(SIZE, np.float32)
    pixels[xy[:, 1], xy[:, 0]] = 1
    touched = np.zeros(planes.channels, bool)
    for channel in range(planes.channels):
        out, _ = warped(warp, pixels, channel)
        leaning = np.flatnonzero(out > 0.02 * len(planes.planes) / planes.channels)
        assert set(leaning) <= set(warp.near(channel, xy).tolist())
        touched[channel] = leaning.size > 0
    assert touched.any()


def test_a_transform_without_extent_is_refused() -> None:
    with pytest.raises(PlanError, match="align again"):
        Warp(Transform(0, 0, 1, 0, 0, 1), MONO, SIZE, SIZE, Kernel.LINEAR)


def test_a_strip_is_as_short_as_its_angle_demands() -> None:
    warp = Warp(turned(0.1, 0, 0, 1.0002), MONO, SIZE, SIZE, Kernel.LINEAR)
    assert warp.tallest(256) == math.floor(0.016 / (1 - 1 / 1.0002 * math.cos(math.radians(0.1))))


@settings(max_examples=150, deadline=None)
@given(
    transform=st.builds(
        turned,
        st.one_of(st.just(0.0), st.floats(-0.5, 0.5), st.floats(179.7, 180.3), st.just(30.0)),
        st.one_of(st.integers(-9, 9).map(float), st.floats(-9, 9)),
        st.floats(-9, 9),
        st.sampled_from([1.0, 1.0, 1.0002, 0.995]),
    ),
    kernel=st.sampled_from(Kernel),
    bayer=st.sampled_from([None, Bayer.RGGB]),
    first=st.integers(0, 639),
    length=st.integers(1, 300),
    y0=st.sampled_from([0, 16, 64, 96]),
)
def test_a_part_of_a_band_is_bit_by_bit_that_of_the_whole_band(
    transform: Transform, kernel: Kernel, bayer: Bayer | None, first: int, length: int, y0: int
) -> None:
    size, rng = (130, 640), np.random.default_rng(3)
    planes = Planes.of(Facts(size, bayer=bayer))
    pixels = rng.normal(1000, 30, size).astype(np.float32)
    pixels[40:44, 100:500:37] = 60000  # that the kernel rings about
    warp, scale = Warp(transform, planes, size, size, kernel), Scale(65000.3, -17.7)
    end = min(first + length, size[1])
    for channel in range(planes.channels):
        whole = warp.band(pixels, channel, y0, y0 + 32, Scratch(), scale)
        part = warp.band(pixels, channel, y0, y0 + 32, Scratch(), scale, (first, end))
        assert np.array_equal(part[:, first:end], whole[:, first:end])


def test_the_sky_that_rings_are_sought_below_follows_a_gradient() -> None:
    sky = np.linspace(100, 400, 1000)[:, None]
    view = (sky + 5 * np.random.default_rng(3).standard_normal((1000, 600))).astype(np.float32)
    skies = low_skies(view)
    middle = sky[[round(1000 * (i + 0.5) / len(skies)) for i in range(len(skies))], 0]
    assert len(skies) == 8
    assert (skies < middle - 6 * 5).all(), "noise stays above it"
    assert (skies > middle - 6 * 5 - 6 * 25).all(), "rows far away have no say"
