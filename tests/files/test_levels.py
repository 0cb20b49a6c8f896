from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.files import fits, frames
from starwell.files.levels import Levels, levels, with_levels
from starwell.frame import Facts


def _sub(seed: int, bits: int, sky: float = 200.0, stars: int = 0, clip: int | None = None) -> Any:
    """Sky noise in converter steps, and a few blobs bright enough to clip."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(sky, 8, (96, 96))
    for y, x in generator.integers(8, 88, (stars, 2)):
        steps[y - 3 : y + 3, x - 3 : x + 3] += 3.0 * 2**bits
    return np.clip(np.rint(steps), 0, clip or 2**bits - 1).astype(np.uint16)


@given(bits=st.sampled_from([10, 12, 14]), seed=st.integers(0, 99))
def test_the_shift_of_left_justified_frames_is_found(bits: int, seed: int) -> None:
    shift = 16 - bits
    assert levels([_sub(seed + n, bits) << shift for n in range(4)]) == Levels(shift, None)


@pytest.mark.parametrize("bits", [12, 14])
@pytest.mark.parametrize("shifted", [False, True])
def test_stars_that_clip_show_where_the_camera_saturates(bits: int, shifted: bool) -> None:
    shift = 16 - bits if shifted else 0
    found = levels([_sub(n, bits, stars=5) << shift for n in range(3)])
    assert found == Levels(shift, float((2**bits - 1) << shift))
    assert with_levels(Facts((96, 96)), found).saturation_adu == (2**bits - 1) << shift


def test_a_plateau_below_the_converters_last_step_is_seen() -> None:
    found = levels([_sub(n, 12, stars=5, clip=4094) << 4 for n in range(3)])
    assert found.plateau_adu == 65504


def test_without_clipped_stars_the_last_step_counts() -> None:
    assert with_levels(Facts((9, 9)), Levels(4, None)).saturation_adu == 65520
    assert with_levels(Facts((9, 9)), Levels(0, None)).saturation_adu == 65535
    assert with_levels(Facts((9, 9)), Levels(2, None)).saturation_adu == 65532
    assert with_levels(Facts((9, 9), saturation_adu=255), Levels(0, None)).saturation_adu == 255


def test_a_white_balance_comb_on_red_and_blue_does_not_hide_the_shift() -> None:
    mosaic = _sub(1, 12).astype(np.float64) * 16
    mosaic[0::2, 0::2] *= 1.04
    mosaic[1::2, 1::2] *= 1.21
    assert levels([np.floor(mosaic).astype(np.uint16)]).adu_shift == 4


def test_pixels_written_as_65535_do_not_hide_the_shift() -> None:
    sub = _sub(1, 12) << 4
    sub[10:14, 20:24] = 65535
    assert levels([sub]).adu_shift == 4


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((32, 32), 4096, np.uint16),
        np.zeros((32, 32), np.uint16),
        (_sub(1, 12) << 4).astype(np.float32),
        (np.random.default_rng(1).poisson(3, (32, 32)) * 16).astype(np.uint8),
        _sub(1, 12),
        np.zeros((0, 0), np.uint16),
    ],
    ids=["constant", "black", "float", "8 bit", "unshifted", "empty"],
)
def test_frames_that_tell_nothing_count_as_unshifted(pixels: Any) -> None:
    assert levels([pixels]) == Levels(0, None)


def test_too_few_values_prove_no_shift() -> None:
    assert levels([np.where(np.eye(32) > 0, 2048, 1024).astype(np.uint16)]).adu_shift == 0


def test_one_frame_with_finer_steps_decides_for_the_set() -> None:
    assert levels([_sub(1, 12) << 4, _sub(2, 14) << 2]).adu_shift == 2


def test_the_signed_pixels_of_old_cameras_are_understood() -> None:
    assert levels([(_sub(1, 10) << 4).astype(np.int16) - 1600]).adu_shift == 4


def test_a_set_is_sampled_from_end_to_end_and_broken_files_are_passed_by(tmp_path: Path) -> None:
    paths = []
    for n in range(9):
        fits.write(tmp_path / f"{n}.fits", _sub(n, 12) << (2 if n == 8 else 4), {})
        paths.append(tmp_path / f"{n}.fits")
    assert frames.levels_of_set(paths).adu_shift == 2
    assert frames.levels_of_set(paths[:8]).adu_shift == 4
    paths[0].write_bytes(b"")
    assert frames.levels_of_set(paths[:8]).adu_shift == 4
    assert frames.levels_of_set([]) == Levels(0, None)
    assert frames.levels_of_set([fits.read(paths[1]).pixels]).adu_shift == 4
