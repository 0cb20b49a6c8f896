"""FITS files built byte by byte, as other programs write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FitsFile = Callable[..., Path]


@pytest.fixture
def fits_file(tmp_path: Path) -> FitsFile:
    """Writes a FITS file from card texts, exactly as given; pad fills the header."""

    def built(
        *cards: str | bytes,
        pixels: Any = None,
        bitpix: int = 16,
        pad: bytes = b" ",
        name: str = "frame.fits",
        tail: bytes = b"",
    ) -> Path:
        array = np.arange(12, dtype=">i2").reshape(3, 4) if pixels is None else pixels
        axes = [f"NAXIS{n + 1}  = {length:>20}" for n, length in enumerate(reversed(array.shape))]
        start = ["SIMPLE  =                    T", f"BITPIX  = {bitpix:>20}", f"NAXIS   = {array.ndim:>20}"]
        texts = [
            card if isinstance(card, bytes) else card.encode() for card in (*start, *axes, *cards, "END")
        ]
        header = b"".join(text.ljust(80, pad if text != b"END" else b" ")[:80] for text in texts)
        header += pad * (-len(header) % 2880)
        stored = array.tobytes()
        path = tmp_path / name
        path.write_bytes(header + stored + bytes(-len(stored) % 2880) + tail)
        return path

    return built
