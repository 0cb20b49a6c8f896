from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest

from starwell.cli import preview
from starwell.errors import FileDamaged, PlanError
from starwell.files import fits
from starwell.frame import Pixels


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    preview.add_arguments(parser)
    return preview.run(parser.parse_args([str(word) for word in words]))


def star_at(y: int, x: int, size: tuple[int, int] = (60, 80)) -> Pixels:
    pixels = np.random.default_rng(3).normal(1000, 10, size)
    pixels[y - 2 : y + 3, x - 2 : x + 3] += 20000
    return pixels.astype(np.uint16)


@pytest.fixture
def mono(tmp_path: Path) -> Path:
    path = tmp_path / "M51_L.fits"
    fits.write(path, star_at(10, 20), {"ROWORDER": "TOP-DOWN", "EXPTIME": 60.0, "OBJECT": "M 51"})
    return path


def brightest(path: Path) -> tuple[int, int]:
    grey = cv2.GaussianBlur(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (5, 5), 0)
    y, x = np.unravel_index(grey.argmax(), grey.shape)
    return int(y), int(x)


def test_a_sub_is_drawn_at_the_width_asked_for_with_a_caption(mono: Path, capsys: pytest.CaptureFixture[str]):
    assert run(mono, "--width", "40", "--mode", "ascii") == 0
    *rows, caption = capsys.readouterr().out.splitlines()
    assert len(rows) == 15
    assert {len(row) for row in rows} == {40}
    assert "@" in rows[2][9:12]
    assert caption.startswith("M51_L.fits  M 51")
    assert "60 s  80x60" in caption


def test_colours_are_sent_only_to_a_terminal_or_on_request(mono: Path, capsys: pytest.CaptureFixture[str]):
    run(mono, "--width", "20")
    assert "\x1b" not in capsys.readouterr().out
    run(mono, "--width", "20", "--colour", "256", "--mode", "quad")
    assert "\x1b[48;5;" in capsys.readouterr().out


def test_rows_counted_from_the_bottom_are_shown_upright(mono: Path, tmp_path: Path):
    upside = tmp_path / "bottom_up.fits"
    fits.write(upside, star_at(10, 20), {"ROWORDER": "BOTTOM-UP"})
    run(mono, "-o", tmp_path / "top.png")
    run(upside, "-o", tmp_path / "bottom.png")
    assert brightest(tmp_path / "top.png") == (10, 20)
    assert brightest(tmp_path / "bottom.png") == (60 - 1 - 10, 20)


def test_a_bayer_sub_is_shown_in_colour_at_full_size(tmp_path: Path):
    mosaic = star_at(30, 40)
    mosaic[20:40:2, 10:30:2] += 3000
    fits.write(tmp_path / "osc.fits", mosaic, {"ROWORDER": "TOP-DOWN", "BAYERPAT": "RGGB"})
    run(tmp_path / "osc.fits", "-o", tmp_path / "osc.png")
    shown = cv2.imread(str(tmp_path / "osc.png"), cv2.IMREAD_COLOR)
    assert shown.shape == (60, 80, 3)
    blue, green, red = shown[22:38, 12:28].reshape(-1, 3).mean(axis=0)
    assert red > green + 50
    assert red > blue + 50


def test_three_planes_are_shown_in_colour(tmp_path: Path):
    rgb = np.stack([star_at(10, 20), star_at(30, 40), star_at(50, 60)])
    fits.write(tmp_path / "stack.fits", rgb, {"ROWORDER": "TOP-DOWN"})
    run(tmp_path / "stack.fits", "-o", tmp_path / "stack.png")
    shown = cv2.imread(str(tmp_path / "stack.png"), cv2.IMREAD_COLOR)
    assert shown[10, 20].argmax() == 2
    assert shown[30, 40].argmax() == 1
    assert shown[50, 60].argmax() == 0


def test_an_existing_png_is_kept_unless_told_otherwise(mono: Path, tmp_path: Path):
    out = tmp_path / "out.png"
    out.write_bytes(b"precious")
    with pytest.raises(PlanError, match="--overwrite"):
        run(mono, "-o", out)
    assert out.read_bytes() == b"precious"
    assert run(mono, "-o", out, "--overwrite") == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_name_that_is_no_png_is_refused(mono: Path, tmp_path: Path):
    with pytest.raises(PlanError, match=r"\.png"):
        run(mono, "-o", tmp_path / "out.jpg")


def test_a_truncated_sub_says_what_is_wrong(mono: Path):
    mono.write_bytes(mono.read_bytes()[:5000])
    with pytest.raises(FileDamaged, match="M51_L"):
        run(mono)


@pytest.mark.parametrize("width", ["0", "-5", "401"])
def test_a_width_no_terminal_has_is_a_wrong_call(mono: Path, width: str):
    with pytest.raises(SystemExit):
        run(mono, f"--width={width}")


@pytest.mark.real
def test_m27_stands_out_of_a_real_sub(real_data: Path, tmp_path: Path):
    run(real_data / "als-lights" / "Light_1069.fits", "-o", tmp_path / "m27.png")
    shown = cv2.imread(str(tmp_path / "m27.png"), cv2.IMREAD_COLOR).astype(float)
    upright = shown[::-1]
    nebula, sky = upright[400:520, 540:640], upright[700:900, 300:600]
    blue, green, red = np.median(nebula, axis=(0, 1)) - np.median(sky, axis=(0, 1))
    assert min(blue, green) > 15
    assert min(blue, green) > red


def test_a_part_is_what_the_whole_picture_shows_there_enlarged(mono: Path, tmp_path: Path):
    whole, part = tmp_path / "whole.png", tmp_path / "part.png"
    run(mono, "-o", whole)
    run(mono, "-o", part, "--crop", "12,4,16,12", "--enlarge", "3")
    seen = cv2.imread(str(part), cv2.IMREAD_GRAYSCALE)
    there = cv2.imread(str(whole), cv2.IMREAD_GRAYSCALE)[4:16, 12:28]
    assert seen.shape == (36, 48)
    assert np.array_equal(seen[1::3, 1::3], there)
    assert seen[3 * 6 + 1, 3 * 8 + 1] > 250, "the star at 20, 10 of the whole"


def test_a_part_outside_the_picture_or_without_pixels_is_refused(
    mono: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(PlanError, match="does not lie within 80×60 px"):
        run(mono, "--crop", "70,0,20,10")
    for wrong in ("1,2,3", "0,0,0,5", "a,b,c,d"):
        with pytest.raises(SystemExit):
            run(mono, "--crop", wrong)
    assert "such as 400,300,200,150" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "words", "kept"), [("Flat", (), True), ("Light", (), False), ("Light", ("--gradient",), True)]
)
def test_unevenness_stays_in_masters_and_goes_from_lights(
    tmp_path: Path, kind: str, words: tuple[str, ...], kept: bool
):
    ramp = np.linspace(1000, 2000, 96)[None, :] + np.random.default_rng(5).normal(0, 5, (64, 96))
    fits.write(tmp_path / "ramp.fits", ramp.astype(np.uint16), {"IMAGETYP": kind, "ROWORDER": "TOP-DOWN"})
    run(tmp_path / "ramp.fits", "-o", tmp_path / "ramp.png", *words)
    shown = cv2.imread(str(tmp_path / "ramp.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    assert bool(shown[:, -16:].mean() > shown[:, :16].mean() + 20) is kept


def test_a_png_fits_into_the_pixels_asked_for(mono: Path, tmp_path: Path):
    run(mono, "-o", tmp_path / "small.png", "--px", "40")
    assert cv2.imread(str(tmp_path / "small.png")).shape[:2] == (30, 40)
