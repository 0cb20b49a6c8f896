"""Frames as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from starwell.files import fits

Written = Callable[..., Path]


@pytest.fixture
def written() -> Written:
    """Writes a small frame of one level under a path, in this process and at once."""

    def write(path: Path, level: int = 100, **keywords: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((16, 24), level, np.uint16)
        pixels.reshape(-1)[:16] += np.arange(16, dtype=np.uint16)
        fits.write(path, pixels, {"IMAGETYP": "Light", **keywords}, overwrite=True)
        return path

    return write
