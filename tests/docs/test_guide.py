"""The guide: every command and every line of Python on its pages runs, and every picture comes out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from starwell.frame import Float64

GUIDE = Path(__file__).parents[2] / "docs" / "guide"


def test_every_block_of_the_page_runs_and_every_picture_is_made(tmp_path: Path) -> None:
    work = tmp_path / "work"
    make = [sys.executable, str(GUIDE / "make.py"), "photons.md", "--check", "--folder", str(work)]
    done = subprocess.run(make, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    named = re.findall(r"\]\(pictures/([\w.]+)\)", (GUIDE / "photons.md").read_text("utf-8"))
    assert len(named) >= 10
    for name in named:
        made, kept = grey(work / name), grey(GUIDE / "pictures" / name)
        assert made.shape == kept.shape, name
        assert np.abs(made - kept).mean() < 12, f"{name} no longer looks like the page's"
    sub, stack = (grey(work / f"noise_{of}.png")[::6, ::6] for of in ("sub", "stack"))
    assert np.diff(sub, axis=1).std() > 1.5 * np.diff(stack, axis=1).std(), "each stretched alike"


def test_the_page_is_linked_from_the_readme() -> None:
    assert "docs/guide/photons.md" in (GUIDE.parents[1] / "README.md").read_text("utf-8")


def grey(path: Path) -> Float64:
    seen = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert seen is not None, f"{path.name} is not there"
    return np.asarray(seen, np.float64)
