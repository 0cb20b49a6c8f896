from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import PlanError
from starwell.terminal.cells import QUADS, SINGLE_WIDTH, Row, Run, fitted, text_of, to_ansi
from starwell.terminal.colours import ColourDepth, Picture
from starwell.terminal.draw import Mode, draw

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def field() -> Picture:
    """Four stars and a round nebula on a dark sky: 96×96, made without noise."""
    y, x = np.mgrid[0:96, 0:96]
    shades = 64 + 90 * np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / (2 * 14**2))
    for cx, cy, peak in ((12, 10, 190), (30, 70, 120), (81, 84, 190), (60, 41, 100)):
        shades += peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 3)
    return np.clip(shades, 0, 255).astype(np.uint8)


def coloured_field() -> Picture:
    grey = field().astype(np.float32)
    return np.stack([grey, 64 + (grey - 64) * 0.6, 64 + (grey - 64) * 0.4], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("depth", [ColourDepth.TRUE, ColourDepth.INDEXED, ColourDepth.MONO])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_field(mode: Mode, depth: ColourDepth, agrees_with_snapshot: Callable[[str], None]):
    rows = draw(field(), 24, 12, depth, mode=mode)
    agrees_with_snapshot("\n".join(text_of(rows)) + "\n\n" + to_ansi(rows, depth).replace("\x1b", "␛"))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_coloured_field(mode: Mode, agrees_with_snapshot: Callable[[str], None]):
    rows = draw(coloured_field(), 24, 12, ColourDepth.INDEXED, mode=mode)
    agrees_with_snapshot(to_ansi(rows, ColourDepth.INDEXED).replace("\x1b", "␛"))


pictures = st.tuples(st.integers(1, 60), st.integers(1, 60), st.booleans(), st.integers(0, 999))


@given(
    pictures,
    st.integers(1, 40),
    st.integers(1, 20),
    *map(st.sampled_from, (ColourDepth, Mode)),
    st.booleans(),
)
def test_every_row_has_exactly_its_columns_of_allowed_characters(picture, columns, rows, depth, mode, night):
    height, width, colour, seed = picture
    shape = (height, width, 3) if colour else (height, width)
    shades = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    drawn = draw(shades, columns, rows, depth, mode=mode, night=night)
    assert len(drawn) == rows
    for line in drawn:
        text = "".join(run.text for run in line)
        assert len(text) == columns
        assert set(text) <= SINGLE_WIDTH
    ansi = to_ansi(drawn, depth)
    assert ESCAPE.sub("", ansi).splitlines() == text_of(drawn)
    if depth is ColourDepth.MONO:
        assert "\x1b" not in ansi


@given(pictures, st.sampled_from(Mode), st.sampled_from([ColourDepth.TRUE, ColourDepth.INDEXED]))
def test_night_is_pure_red(picture, mode, depth):
    height, width, colour, seed = picture
    shape = (height, width, 3) if colour else (height, width)
    shades = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    for line in draw(shades, 20, 10, depth, mode=mode, night=True):
        for run in line:
            assert all(c is None or (c.green == 0 and c.blue == 0) for c in (run.fg, run.bg))


def quarters_drawn(rows: list[Row]) -> list[list[int]]:
    """The greys of the quarters, as a terminal would paint them."""
    painted: list[list[int]] = []
    for line in rows:
        upper: list[int] = []
        lower: list[int] = []
        for text, fg, bg in line:
            for glyph in text:
                bits = QUADS.index(glyph)
                shades = [(fg if bits >> i & 1 else bg).red for i in range(4)]  # type: ignore[union-attr]
                upper += shades[:2]
                lower += shades[2:]
        painted += [upper, lower]
    return painted


@given(st.integers(0, 15), st.integers(100, 255), st.integers(0, 60))
def test_each_of_the_sixteen_patterns_is_drawn_as_it_is(bits: int, bright: int, dark: int):
    lit = np.array([bits >> i & 1 for i in range(4)], bool).reshape(2, 2)
    shades = np.where(lit, bright, dark).astype(np.uint8)
    # a cell is twice as tall as wide: the picture is made of 2×1 px quarters
    picture = np.repeat(shades, 2, axis=0)
    painted = np.array(quarters_drawn(draw(picture, 1, 1, ColourDepth.TRUE)))
    np.testing.assert_allclose(painted, shades, atol=3)


def test_a_cell_of_four_shades_is_split_where_the_two_means_differ_most():
    picture = np.repeat(np.array([[10, 30], [200, 240]], np.uint8), 2, axis=0)
    ((run,),) = draw(picture, 1, 1, ColourDepth.TRUE)
    assert run.text == "▄"
    assert run.fg is not None
    assert run.bg is not None
    assert abs(run.fg.red - 220) <= 2
    assert abs(run.bg.red - 20) <= 2


def test_a_single_bright_pixel_of_a_large_picture_stays_a_bright_point():
    picture = np.full((480, 480), 64, np.uint8)
    picture[100, 205] = 255
    painted = np.array(quarters_drawn(draw(picture, 40, 20, ColourDepth.INDEXED)))
    assert painted.max() == 255
    assert (painted > 100).sum() == 1
    assert tuple(np.argwhere(painted > 100)[0]) == (100 * 40 // 480, 205 * 80 // 480)


def test_a_flat_picture_is_one_blank_run_a_row():
    assert (
        draw(np.full((40, 40), 128, np.uint8), 20, 10, ColourDepth.TRUE)
        == [
            (Run(" " * 20, None, run.bg),)
            for ((run, *_), *_) in [draw(np.full((2, 1), 128, np.uint8), 1, 1, ColourDepth.TRUE)]
        ]
        * 10
    )


def test_a_picture_is_centred_with_its_aspect_kept():
    rows = draw(np.full((100, 100), 255, np.uint8), 40, 10, ColourDepth.MONO)
    assert text_of(rows) == [" " * 10 + "█" * 20 + " " * 10] * 10
    assert fitted((976, 1304), 107, 1000) == (107, 40)
    assert fitted((3, 4000), 80, 24) == (80, 1)


def test_ansi_says_only_what_changes_and_resets_at_the_end():
    rows = draw(np.repeat(np.array([[0, 255, 0]], np.uint8), 2, axis=0), 3, 1, ColourDepth.INDEXED)
    assert to_ansi(rows, ColourDepth.INDEXED) == "\x1b[48;5;16m \x1b[48;5;231m \x1b[48;5;16m \x1b[0m\n"


@pytest.mark.parametrize("picture", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)])
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(PlanError, match="uint8"):
        draw(picture, 10, 10, ColourDepth.TRUE)


@pytest.mark.parametrize(("shape", "columns", "rows"), [((4, 4), 0, 5), ((4, 4), 5, 0), ((0, 4), 5, 5)])
def test_no_room_and_no_picture_are_refused(shape, columns, rows):
    with pytest.raises(PlanError, match="no room"):
        draw(np.zeros(shape, np.uint8), columns, rows, ColourDepth.TRUE)
