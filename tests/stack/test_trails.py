"""Lines that are there are found; lines that are not are not."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest

from starwell.stack.trails import BIN, Trail, find_trails

SIZE = (768, 960)


def binned(pixels: Any) -> Any:
    shape = (SIZE[1] // BIN, SIZE[0] // BIN)
    return cv2.resize(pixels.astype(np.float32), shape, interpolation=cv2.INTER_AREA)


def noise(seed: int) -> Any:
    return np.random.default_rng(seed).normal(0, 1, SIZE)


def test_noise_alone_shows_no_trail() -> None:
    for seed in range(20):
        assert find_trails(binned(noise(seed)), 3.0) == []


@pytest.mark.parametrize("peak", [0.75, 2.0, 10.0])
@pytest.mark.parametrize(
    ("start", "end"), [((0, 100), (960, 700)), ((500, 0), (480, 768)), ((0, 300), (960, 310))]
)
def test_a_trail_is_found_where_it_is(trail_e: Any, peak: float, start: Any, end: Any) -> None:
    pixels = noise(3) + trail_e(SIZE, peak, start, end, 3.0)
    trails = find_trails(binned(pixels), 3.0)
    assert len(trails) == 1
    trail = trails[0]
    for x, y in (start, end):
        off = x * math.cos(trail.angle_rad) + y * math.sin(trail.angle_rad) - trail.distance_px
        assert abs(off) < (3.0 if peak < 1 else 1.5)
    assert 6.0 <= trail.half_width_px <= 16


def test_up_to_four_trails_are_told_apart(trail_e: Any) -> None:
    ends = [((0, 100), (960, 200)), ((0, 600), (960, 500)), ((200, 0), (300, 768)), ((0, 0), (960, 768))]
    pixels = noise(4) + sum(trail_e(SIZE, 5.0, start, end, 3.0) for start, end in ends)
    trails = find_trails(binned(pixels), 3.0)
    assert len(trails) == 4
    for start, end in ends:
        assert any(
            all(
                abs(x * math.cos(t.angle_rad) + y * math.sin(t.angle_rad) - t.distance_px) < 3
                for x, y in (start, end)
            )
            for t in trails
        )


def test_an_aircraft_is_masked_as_wide_as_it_is(trail_e: Any) -> None:
    pixels = noise(5) + trail_e(SIZE, 8.0, (0, 100), (960, 600), 25.0)
    trails = find_trails(binned(pixels), 3.0)
    assert trails[0].half_width_px >= 20


def test_clouds_and_bright_stars_are_no_trails() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    pixels = noise(6) + 0.8 * np.sin(x / 150) + (y - 400) / 400
    rng = np.random.default_rng(6)
    for px, py in rng.uniform(40, 700, (60, 2)).astype(int):
        pixels[py - 3 : py + 4, px - 3 : px + 4] += 15
    assert find_trails(binned(pixels), 3.0) == []


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, 2.0])
def test_the_pixels_of_a_trail_are_those_within_its_half_width(angle: float) -> None:
    trail = Trail(angle, 300 * math.cos(angle) + 250 * math.sin(angle), 6.0, 20.0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    off = np.abs(x * math.cos(angle) + y * math.sin(angle) - trail.distance_px)
    flat = trail.pixels(SIZE)
    assert (np.diff(flat) > 0).all()
    inside = np.zeros(SIZE, bool)
    inside.flat[flat] = True
    assert inside[off < 5.9].all()
    assert not inside[off > 6.1].any()
