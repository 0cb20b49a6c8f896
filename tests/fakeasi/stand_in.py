"""Builds the stand-in for ZWO's library and turns its knobs, in this process or, by a shared file, in any."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from starwell.frame import Frame

SOURCE = Path(__file__).parent
TINY, TINY_COLOUR, ASI1600, ASI294, ASI120 = range(5)


class Watermark(NamedTuple):
    """The settings a frame's pixels were really taken with."""

    count: int
    gain: int
    seconds: float
    offset: int
    celsius: float
    camera: int
    x: int
    y: int
    bin: int


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return shutil.which(os.environ.get("CC", "cc"))


def build() -> Path:
    """The compiled stand-in, from a cache that knows its sources."""
    sources = sorted(SOURCE.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"starwell-fakeasi-{os.getuid()}" / digest / "libfakeasi.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = library.with_name(f"building-{os.getpid()}.so")
        units = [path for path in sources if path.suffix == ".c"]
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([compiler() or "cc", *flags, "-o", fresh, *units, "-lm", "-lpthread"], check=True)
        fresh.replace(library)
    return library


class StandIn:
    """The knobs of the stand-in. The environment's FAKEASI_STATE must name its file before it is loaded."""

    def __init__(self, library: Path) -> None:
        self.library = library
        self._calls = ctypes.CDLL(str(library))
        self._calls.fakeasi_set.argtypes = [ctypes.c_char_p, ctypes.c_double]
        self._calls.fakeasi_get.argtypes = [ctypes.c_char_p]
        self._calls.fakeasi_get.restype = ctypes.c_double

    def set(self, **knobs: float) -> None:
        for name, value in knobs.items():
            assert self._calls.fakeasi_set(name.encode(), float(value)) == 0, name

    def get(self, name: str) -> float:
        value = float(self._calls.fakeasi_get(name.encode()))
        assert value != -1 or name == "held", name
        return value

    def reset(self, **knobs: float) -> None:
        """All knobs as they were, then these, then all cameras fresh from the box."""
        self._calls.fakeasi_reset()
        self.set(**knobs)

    def opens(self, index: int) -> int:
        """How often anybody asked to open this camera."""
        return int(self._calls.fakeasi_opens(index))

    def unplug(self, index: int = 0) -> None:
        self._calls.fakeasi_plugged(index, 0)

    def plug(self, index: int = 0) -> None:
        self._calls.fakeasi_plugged(index, 1)


def watermark(frame: Frame) -> Watermark:
    """What the pixels themselves say."""
    mark = [int(value) for value in frame.pixels[0, :12]]
    assert mark[0] == mark[11] == 0xA51, "the frame carries no watermark"
    seconds = (mark[3] + (mark[4] << 16)) / 1e6
    return Watermark(mark[1], mark[2], seconds, mark[5], (mark[6] - 1000) / 10, *mark[7:11])
