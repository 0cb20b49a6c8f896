from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color, ColorSystem

from starwell.terminal.colours import RGB, ColourDepth, palette, xterm_index

SHADES = np.arange(256, dtype=np.uint8)
LATTICE = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1).reshape(-1, 3)


def handed_out(depth: ColourDepth, *, coloured: bool, night: bool) -> set[RGB]:
    chosen = palette(depth, coloured=coloured, night=night)
    codes = chosen.codes(LATTICE if coloured else SHADES)
    return {chosen.rgb(int(code)) for code in np.unique(codes)}


@pytest.mark.parametrize("night", [False, True])
@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize(
    ("depth", "system"),
    [(ColourDepth.INDEXED, ColorSystem.EIGHT_BIT), (ColourDepth.SIXTEEN, ColorSystem.STANDARD)],
)
def test_rich_picks_the_same_palette_entry_as_we_do(depth, system, coloured, night):
    for colour in handed_out(depth, coloured=coloured, night=night):
        assert Color.from_rgb(*colour).downgrade(system).number == xterm_index(colour, depth)


@pytest.mark.parametrize(
    ("depth", "greys"),
    [(ColourDepth.TRUE, 64), (ColourDepth.INDEXED, 26), (ColourDepth.SIXTEEN, 4), (ColourDepth.MONO, 2)],
)
def test_a_depth_has_its_number_of_greys(depth, greys):
    assert len(handed_out(depth, coloured=False, night=False)) == greys


def test_the_six_reds_of_256_colours_are_the_five_and_black():
    reds = handed_out(ColourDepth.INDEXED, coloured=False, night=True)
    assert sorted(xterm_index(red) for red in reds) == [16, 52, 88, 124, 160, 196]


def test_a_stretched_sky_is_black_where_shades_are_few_and_a_nebula_is_not():
    for depth, night in ((ColourDepth.SIXTEEN, False), (ColourDepth.INDEXED, True)):
        chosen = palette(depth, coloured=False, night=night)
        sky, nebula = chosen.codes(np.array([64, 100], np.uint8))
        assert chosen.rgb(int(sky)) == (0, 0, 0)
        assert chosen.rgb(int(nebula)).red > 0


@given(st.sampled_from(ColourDepth), st.booleans(), st.booleans())
def test_a_brighter_grey_never_gets_a_darker_colour(depth, coloured, night):
    chosen = palette(depth, coloured=coloured, night=night)
    shades = np.repeat(SHADES[:, None], 3, axis=1) if coloured else SHADES
    reds = [chosen.rgb(int(code)).red for code in chosen.codes(shades)]
    assert reds == sorted(reds)
    assert reds[0] == 0


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_are_close_to_what_was_asked(colour):
    asked = np.array(colour, np.uint8)
    for depth, error in ((ColourDepth.TRUE, 7.2), (ColourDepth.INDEXED, 82)):
        chosen = palette(depth, coloured=True)
        assert np.linalg.norm(np.array(chosen.rgb(int(chosen.codes(asked)))) - colour) <= error * 1.01
    assert RGB(*colour).hex == "#" + bytes(colour).hex()
