"""Colours and curves."""

from __future__ import annotations

import numpy as np
import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from starwell_tui.panes.curve import braille
from starwell_tui.panes.pane import duration, line, style
from starwell_tui.theme import BAD, CUBE_REDS, GROUND, INK, PALETTE, NightRed

CUBE = {0, 95, 135, 175, 215, 255}


@pytest.mark.parametrize("colour", PALETTE)
def test_every_colour_is_one_of_the_terminals_256(colour):
    red, green, blue = Color.parse(colour).rgb
    grey = red == green == blue and (red - 8) % 10 == 0 and 8 <= red <= 238
    assert grey or {red, green, blue} <= CUBE


@pytest.mark.parametrize("brightness", [1.0, 0.5])
@pytest.mark.parametrize("colour", PALETTE)
def test_letters_stand_out_from_their_ground_in_red(colour, brightness):
    night = NightRed(brightness, cube=True)
    for ground in (GROUND, "#303030"):
        [segment] = night.apply([Segment("a", style(colour, ground))], Color(0, 0, 0))
        letters, behind = segment.style.color.triplet, segment.style.bgcolor.triplet
        assert letters.green == letters.blue == behind.green == behind.blue == 0
        assert letters.red in CUBE_REDS
        assert behind.red == 0
        assert letters.red > 0 or colour in PALETTE[:2]


def test_reds_that_were_chosen_keep_their_level():
    night = NightRed(cube=True)
    for red in CUBE_REDS:
        [segment] = night.apply([Segment("a", Style(color=f"rgb({red},0,0)"))], Color(0, 0, 0))
        assert segment.style.color.triplet.red == red


def test_what_has_no_colour_is_red_on_black():
    [segment] = NightRed().apply([Segment("a", None)], Color(0, 0, 0))
    assert segment.style.color.triplet == (208, 0, 0)
    assert segment.style.bgcolor.triplet == (0, 0, 0)


def test_one_over_root_n_is_a_straight_line():
    n = np.arange(1, 65)
    bits = braille(list(zip(n, 16 / n**0.5, strict=True)), 32, 16, (1, 64), (2, 16))
    assert np.argwhere(bits).tolist() == [[column // 2, column] for column in range(32)]
    assert {int(cell) for cell in bits[bits > 0]} == {0x01 | 0x10, 0x04 | 0x80}


def test_a_curve_of_one_point_is_one_dot():
    bits = braille([(2.0, 10.0)], 8, 4, (1, 2), (5, 10))
    assert np.argwhere(bits).tolist() == [[0, 7]]
    assert bits[0, 7] == 0x08


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (40.0, "40s"), (750.0, "12m30s"), (7500.0, "2h05m")]
)
def test_livetime_is_written_for_people(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("width", "text"), [(12, "clouds, hot "), (8, "clouds,…"), (1, "…"), (0, "")])
def test_a_line_has_its_width_and_an_ellipsis_where_it_was_cut(width, text):
    strip = line([("clouds, ", style(BAD)), ("hot", style(INK))], width)
    assert strip.text == text
    assert strip.cell_length == width
