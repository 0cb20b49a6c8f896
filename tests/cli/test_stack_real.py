"""`starwell stack` on real frames of other people's cameras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

pytestmark = pytest.mark.real
Make = Callable[..., Any]


def test_forty_subs_with_bleeding_stars_and_field_rotation_all_stack(
    real_data: Path, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    out, report = tmp_path / "o.fits", tmp_path / "r.json"
    told = starwell("stack", real_data / "hatp32-mobs", "-o", out, "--report", report)
    assert told.code == 0
    found = report_of(report)
    lost = {f["file"]: f["reason"] for f in found["frames"] if f["status"] != "stacked"}
    assert lost == {}
    assert found["stacked"] == 40
    rms = [f["rms_px"] for f in found["frames"]]
    assert np.median(rms) < 0.5


def test_a_colour_set_stacks_in_colour_with_its_two_warnings(
    real_data: Path, starwell: Make, tmp_path: Path
) -> None:
    out = tmp_path / "o.fits"
    told = starwell("stack", real_data / "als-lights", "-o", out, "--preview", tmp_path / "p.png")
    assert told.code == 0
    assert "6 of 6 subs stacked" in told.out
    assert astropy_fits.getdata(out).shape[0] == 3
    warnings = [line for line in told.err.splitlines() if line.startswith("warning")]
    assert any("floor" in line or "offset" in line for line in warnings)
    assert any("white balance" in line for line in warnings)


def test_a_focus_run_stacks_its_sharp_subs_or_says_why_not(
    real_data: Path, starwell: Make, tmp_path: Path
) -> None:
    told = starwell("stack", real_data / "asi1600-focusrun", "-o", tmp_path / "o.fits", "--mix")
    assert told.code in {0, 1}
    if told.code == 1:
        assert "None of the" in told.err


def nasty(real_data: Path) -> list[Path]:
    return sorted(p for p in (real_data / "nasty-fits").iterdir() if p.name != "README.md")


def test_every_odd_file_is_read_or_refused_by_name(real_data: Path, starwell: Make, tmp_path: Path) -> None:
    outcomes: dict[str, int] = {}
    for number, path in enumerate(nasty(real_data)):
        out = tmp_path / f"{number}.fits"
        told = starwell("stack", path, "-o", out)  # the fixture refuses tracebacks
        outcomes[path.name] = told.code
        assert told.code in {0, 1}, path.name
        assert out.exists() == (told.code == 0), path.name
        if told.code == 0:
            assert np.isfinite(astropy_fits.getdata(out)).all(), path.name
        else:
            assert path.name in told.err, told.err
            assert len(told.err.strip().splitlines()[-1]) > 30
    assert len(outcomes) >= 38
    assert sum(code == 0 for code in outcomes.values()) >= 5


def test_all_odd_files_at_once_are_sorted_and_none_brings_the_others_down(
    real_data: Path, starwell: Make, tmp_path: Path
) -> None:
    told = starwell("stack", *nasty(real_data), "-o", tmp_path / "o.fits", "--mix")
    assert told.code in {0, 1}
    for name in ("DERIVED_zero_bytes.fits", "DERIVED_header_only.fits", "ddai_invalidfits_invalid.fits"):
        assert name in told.err
