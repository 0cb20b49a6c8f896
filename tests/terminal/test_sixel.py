"""Sixels are read back by a terminal of a few lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from starwell.errors import PlanError
from starwell.terminal import sixel

RASTER = re.compile(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', re.DOTALL)
WORD = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)(.)|([?-~])|([$-])")


def terminal(sequence):
    """H×W×3 in percent as a terminal would draw it, -1 where nothing was drawn."""
    wide, tall, body = RASTER.fullmatch(sequence).groups()
    shown = np.full((int(tall), int(wide), 3), -1)
    palette, level, x, y = {}, 0, 0, 0
    for index, red, green, blue, chosen, repeats, repeated, single, move in WORD.findall(body):
        if index:
            palette[index] = int(red), int(green), int(blue)
        elif chosen:
            level = chosen
        elif move:
            x, y = 0, y + (6 if move == "-" else 0)
        else:
            bits, count = ord(repeated or single) - 63, int(repeats or 1)
            rows = [y + row for row in range(6) if bits >> row & 1]
            shown[rows, x : x + count] = palette[level]
            x += count
    return shown


@given(arrays(np.uint8, st.tuples(st.integers(1, 4).map(lambda n: 6 * n), st.integers(1, 20))))
def test_every_pixel_is_drawn_in_the_nearest_of_sixteen_greys(picture):
    tall, wide = picture.shape
    shown = terminal(sixel.render(picture, wide, tall))
    nearest = np.rint(100 * np.rint(picture / 17) / 15)
    assert np.array_equal(shown, np.repeat(nearest[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("brightness", "brightest"), [(1.0, 100), (0.5, 50)])
def test_at_night_there_is_neither_green_nor_blue(brightness, brightest):
    ramp = np.tile(np.arange(0, 256, 5, dtype=np.uint8), (12, 1))
    shown = terminal(sixel.render(ramp, 52, 12, night=True, brightness=brightness))
    assert not shown[..., 1:].any()
    assert shown[..., 0].max() == brightest
    assert np.all(np.diff(shown[0, :, 0]) >= 0)


def test_colours_are_drawn_by_their_brightness():
    white = np.full((6, 4, 3), 255, np.uint8)
    assert np.all(terminal(sixel.render(white, 4, 6)) == 100)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200), st.integers(6, 200))
def test_a_picture_fits_and_ends_on_a_whole_sixel(tall, wide, width_px, height_px):
    rows, columns = sixel.fitted_px((tall, wide), width_px, height_px)
    assert rows % 6 == 0
    assert 0 < rows <= height_px
    assert 0 < columns <= width_px


def test_stars_survive_the_reduction():
    sky = np.full((300, 300), 40, np.uint8)
    sky[150, 150] = 255
    shown = terminal(sixel.render(sky, 60, 60))
    assert shown.max() > 90


def test_a_sky_is_small_on_the_wire():
    sky = np.random.default_rng(3).normal(60, 12, (354, 514)).clip(0, 255).astype(np.uint8)
    assert len(sixel.render(sky, 514, 354)) < 120_000


@pytest.mark.parametrize("size", [(0, 60), (60, 5)])
def test_no_room_is_said(size):
    with pytest.raises(PlanError, match="no room"):
        sixel.render(np.zeros((10, 10), np.uint8), *size)


def test_a_file_is_no_terminal_with_cells(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert sixel.cell_px(file.fileno()) is None
