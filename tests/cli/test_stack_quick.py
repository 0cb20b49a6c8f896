"""`starwell stack --quick`: one pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

Make = Callable[..., Any]


def test_one_pass_gives_nearly_the_stack_of_two(
    mono: Any, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    masters = mono.masters(tmp_path / "m")
    quick, exact = tmp_path / "q.fits", tmp_path / "e.fits"
    told = starwell("stack", mono.folder, *masters, "--quick", "-o", quick, "--report", tmp_path / "q.json")
    assert (told.code, "10 of 10 subs stacked, 200 s of light" in told.out) == (0, True)
    found = report_of(tmp_path / "q.json")
    assert [frame["status"] for frame in found["frames"]] == ["stacked"] * 10
    reference = mono.folder / found["reference"]
    assert starwell("stack", mono.folder, *masters, "--reference", reference, "-o", exact).code == 0
    one, two = fits.getdata(quick), fits.getdata(exact)
    inside = np.s_[20:-20, 20:-20]
    sigma = 1.4826 * np.median(np.abs(two[inside] - np.median(two[inside])))
    assert np.std((one - two)[inside]) < 0.3 * sigma
    with fits.open(tmp_path / "q.maps.fits") as hdus:
        assert [hdu.name for hdu in hdus if hdu.data is not None] == ["WEIGHT", "COUNT", "MASKED", "VARIANCE"]


@pytest.mark.parametrize("subs", [1, 3])
def test_a_few_subs_are_a_stack_as_well(subs: int, lights: Any, starwell: Make, tmp_path: Path) -> None:
    few = lights(tmp_path / "few", subs)
    told = starwell("stack", few.folder, "--quick", "-o", tmp_path / "o.fits")
    assert told.code == 0
    assert f"{subs} of {subs} subs stacked" in told.out


def test_unreadable_and_clouded_subs_are_left_out_and_named_in_their_order(
    mono: Any, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "lights"
    folder.mkdir()
    for file in mono.files:
        (folder / file.name).write_bytes(file.read_bytes())
    cut = folder / "light_0009.fits"
    cut.write_bytes(cut.read_bytes()[:60_000])
    told = starwell("stack", folder, "--quick", "-o", tmp_path / "o.fits", "--report", tmp_path / "r.json")
    assert told.code == 0
    assert "9 of 10 subs stacked" in told.out
    assert "light_0009.fits" in told.err
    frames = report_of(tmp_path / "r.json")["frames"]
    assert [frame["file"] for frame in frames] == sorted(frame["file"] for frame in frames)
    assert [frame["status"] for frame in frames].count("unreadable") == 1


def test_nothing_that_can_be_stacked_is_said_with_the_reason(
    lights: Any, starwell: Make, tmp_path: Path
) -> None:
    dark = lights(tmp_path / "dark", 3)
    for file in dark.files:
        with fits.open(file, mode="update", do_not_scale_image_data=True) as hdus:
            hdus[0].data[...] = -32000
    told = starwell("stack", dark.folder, "--quick", "-o", tmp_path / "o.fits")
    assert told.code == 1
    assert "None of the 3 subs can be stacked: black" in told.err


@pytest.mark.parametrize("words", [("--dask", "tcp://localhost:1"), ("--reference", "light_0001.fits")])
def test_what_needs_all_subs_first_is_refused(mono: Any, starwell: Make, tmp_path: Path, words: Any) -> None:
    told = starwell("stack", mono.folder, "--quick", *words, "-o", tmp_path / "o.fits")
    assert told.code != 0
    assert "--quick goes neither" in told.err
    assert not (tmp_path / "o.fits").exists()
