"""What can be asked of this machine; tests hand in another root, environment and answers."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starwell.session.enough import available_bytes

_TIME_ERROR = 5
_ZWO = "03c3"
_TRIAL_BYTES = 32 << 20


def clock_is_synchronised() -> bool | None:
    """What the kernel says of its clock (adjtimex(2)); None where it cannot be asked."""
    try:
        libc = ctypes.CDLL(None)
        state = libc.adjtimex(ctypes.create_string_buffer(512))  # modes 0: reads, sets nothing
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


def answer(words: Sequence[str]) -> str | None:
    """What a command prints; None when it is not there or fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def writing_mb_s(folder: Path) -> float:
    """How fast this disk takes frames, MB/s: a file of 32 MiB, synced, then removed; OSError."""
    path = folder / f".starwell-speed-{os.getpid()}"
    block = os.urandom(1 << 20)
    begun = time.perf_counter()
    try:
        with path.open("wb") as stream:
            for _ in range(_TRIAL_BYTES // len(block)):
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        return _TRIAL_BYTES / 1e6 / (time.perf_counter() - begun)
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Usb:
    """One device on the bus: name, speed in Mbit/s, and whether this user may use it."""

    name: str
    mbit_s: float
    usable: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, or one made up by a test."""

    root: Path = Path("/")
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    answer: Callable[[Sequence[str]], str | None] = answer
    clock_is_synchronised: Callable[[], bool | None] = clock_is_synchronised
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    writing_mb_s: Callable[[Path], float] = writing_mb_s

    def text(self, path: str) -> str | None:
        """A file below the root; None where there is none."""
        try:
            return (self.root / path).read_text(errors="replace").strip("\0\n ")
        except OSError:
            return None

    @property
    def available_bytes(self) -> int | None:
        """Memory that programs can still get, swap included."""
        return available_bytes(self.root)

    @property
    def pi_model(self) -> str | None:
        """The Raspberry Pi this is, if it is one."""
        model = self.text("proc/device-tree/model") or ""
        return model if "Raspberry Pi" in model else None

    def zwo_devices(self) -> list[Usb]:
        """ZWO's devices on the USB, cameras and others."""
        found = []
        for folder in sorted((self.root / "sys/bus/usb/devices").glob("*")):
            device = folder.relative_to(self.root)
            if self.text(f"{device}/idVendor") == _ZWO:
                bus, number = (int(self.text(f"{device}/{n}") or 0) for n in ("busnum", "devnum"))
                node = self.root / f"dev/bus/usb/{bus:03d}/{number:03d}"
                speed = float(self.text(f"{device}/speed") or 0)
                name = self.text(f"{device}/product") or "ZWO device"
                found.append(Usb(name, speed, os.access(node, os.W_OK)))
        return found

    def udev_rule(self) -> Path | None:
        """The rule that lets users open ZWO's devices."""
        for folder in ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d"):
            for path in sorted((self.root / folder).glob("*.rules")):
                if _ZWO in (self.text(str(path.relative_to(self.root))) or "").lower():
                    return path
        return None
