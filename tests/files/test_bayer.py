from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from starwell.files import fits
from starwell.files.header import Header
from starwell.files.mosaic import bayer_of
from starwell.frame import Bayer, Planes

ADU = {"R": 1000, "G": 2000, "B": 3000}


def _scene(height: int, width: int) -> Any:
    """The colours that an RGGB sensor shows to somebody who looks at it, top row first."""
    rows = ["RG" * width, "GB" * width]
    return np.array([[ADU[rows[y % 2][x]] for x in range(width)] for y in range(height)], ">i2")


def _card(keyword: str, value: str | int) -> str:
    return f"{keyword:<8}= '{value}'" if isinstance(value, str) else f"{keyword:<8}= {value:>20}"


@pytest.mark.parametrize("height", [6, 7])
@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("order", [None, "TOP-DOWN", "BOTTOM-UP", "bottom-up"])
def test_a_coloured_scene_comes_out_in_its_colours(
    fits_file: Any, height: int, dx: int, dy: int, order: str | None
) -> None:
    window = _scene(height + dy, 8 + dx)[dy:, dx:]
    cards = [_card("BAYERPAT", "RGGB"), _card("XBAYROFF", dx), _card("YBAYROFF", dy)]
    cards += [_card("ROWORDER", order)] if order else []
    upside_down = order is not None and order.upper() == "BOTTOM-UP"
    frame = fits.read(fits_file(*cards, pixels=window[::-1].copy() if upside_down else window.copy()))
    planes = Planes.of(frame.facts)
    for plane in planes.planes:
        assert np.unique(planes.view(frame.pixels, plane)).tolist() == [ADU["RGB"[plane.channel]]]
    assert frame.facts.top_down is (order == "TOP-DOWN")


@pytest.mark.parametrize(
    ("order", "height", "at_origin"),
    [
        ("TOP-DOWN", 4, "RGGB"),
        ("TOP-DOWN", 5, "RGGB"),
        ("", 4, "RGGB"),
        ("", 5, "RGGB"),
        ("BOTTOM-UP", 4, "GBRG"),
        ("BOTTOM-UP", 5, "RGGB"),
    ],
)
def test_the_pattern_at_the_origin_follows_row_order_and_height(
    fits_file: Any, order: str, height: int, at_origin: str
) -> None:
    path = fits_file(_card("BAYERPAT", "RGGB"), _card("ROWORDER", order), pixels=np.zeros((height, 6), ">i2"))
    assert fits.read_facts(path).bayer is Bayer(at_origin)


def test_the_offsets_of_maxim_and_sharpcap_count_too(fits_file: Any) -> None:
    path = fits_file(_card("BAYERPAT", "RGGB"), _card("BAYOFFX", 1), _card("BAYOFFY", 1))
    assert fits.read_facts(path).bayer is Bayer.BGGR


@pytest.mark.parametrize("pattern", ["NONE", "", "0", "Mono"])
def test_no_pattern_is_mono_without_a_remark(fits_file: Any, pattern: str) -> None:
    facts = fits.read_facts(fits_file(_card("BAYERPAT", pattern)))
    assert (facts.bayer, facts.flags) == (None, ())


def test_a_pattern_nobody_knows_is_mono_with_a_remark(fits_file: Any) -> None:
    facts = fits.read_facts(fits_file(_card("BAYERPAT", "CYYM")))
    assert facts.bayer is None
    assert facts.flags == ("Bayer pattern CYYM is not known: read as mono",)


def test_a_pattern_on_colour_or_binned_frames_is_not_used(fits_file: Any) -> None:
    cube = fits_file(_card("BAYERPAT", "RGGB"), pixels=np.zeros((3, 4, 6), ">i2"), name="cube.fits")
    binned = fits_file(_card("BAYERPAT", "RGGB"), _card("XBINNING", 2), name="binned.fits")
    assert fits.read(cube).facts.bayer is None
    assert fits.read(binned).facts.bayer is None
    assert fits.read(binned).facts.flags == ("Bayer pattern RGGB is not used: binned 2×2",)


def test_a_binned_mosaic_of_our_own_keeps_its_pattern():
    values = {"BAYERPAT": "RGGB", "ROWORDER": "TOP-DOWN", "XBINNING": 2}
    assert bayer_of(Header(values, {}), (10, 10), 2)[0] is None
    assert bayer_of(Header({**values, "SWCREATE": "starwell 0.1.0"}, {}), (10, 10), 2)[0] is Bayer.RGGB
