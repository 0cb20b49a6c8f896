"""Finds and loads ZWO's SDK library; zwoasi serves as loader and ABI only.

The order: a file named by the caller or $ZWO_ASI_LIB (then no other is tried), the linker's cache, the
bare name, the usual folders, and the data of the pyzwoasi and zwo packages. A name that the linker's cache
does not know may still load: Debian's libasi does until somebody runs ldconfig.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starwell.camera.protocol import Availability
from starwell.camera.zwo_sdk import Sdk, bind
from starwell.errors import CameraNotFound

BARE_NAME = "libASICamera2.so"
INSTALL = (
    "install it with `apt install libasi` (Debian's non-free, with the udev rules) or take ZWO's own SDK for"
    " Linux from zwoastro.com, or name the file in ZWO_ASI_LIB"
)
_FOLDERS = ("/usr/lib/*", "/usr/lib", "/usr/local/lib", "/opt/ASI*/lib/{machine}", "/opt/ASI*/lib")
_MACHINES = {"x86_64": "x64", "aarch64": "armv8", "armv7l": "armv7", "armv6l": "armv6", "i686": "x86"}


def available(named: str | None = None) -> Availability:
    """Whether the library loads: its version and file, or why not and what to install."""
    try:
        sdk = load(named)
    except CameraNotFound as missing:
        return Availability(False, str(missing))
    return Availability(True, f"ZWO SDK {sdk.version}, {sdk.file}")


def load(named: str | None = None) -> Sdk:
    """The SDK, ready for calls; CameraNotFound when there is no library that works."""
    abi = _import_zwoasi()
    asked = named or os.environ.get("ZWO_ASI_LIB")
    faults: list[str] = []
    for candidate in [asked] if asked else candidates():
        try:
            return _load_one(abi, candidate)
        except (OSError, AttributeError) as fault:
            faults.append(_reason(candidate, fault))
    if asked:
        raise CameraNotFound(f"ZWO's library cannot be used: {faults[0]}")
    tried = [fault for fault in faults if BARE_NAME + ": cannot open shared object file" not in fault]
    raise CameraNotFound(f"ZWO's library was not found: {INSTALL}" + "".join(f"; {one}" for one in tried))


def candidates() -> Iterator[str]:
    """Where the library may be, best first."""
    if cached := ctypes.util.find_library("ASICamera2"):
        yield cached
    yield BARE_NAME
    machine = _MACHINES.get(platform.machine(), platform.machine())
    for folder in _FOLDERS:
        yield from _newest_first(Path("/"), folder.format(machine=machine).lstrip("/"))
    for package in (
        "pyzwoasi",
        "zwo",
    ):  # pyzwoasi has no ARM library and picks x64 on a Pi: the folder decides
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            yield from _newest_first(Path(place), f"**/{machine}")


def _newest_first(root: Path, folder: str) -> Iterator[str]:
    for path in sorted(root.glob(f"{folder}/{BARE_NAME}*"), reverse=True):
        yield str(path)


def _load_one(abi: Any, candidate: str) -> Sdk:
    abi.zwolib = None  # else a second init() does nothing, whatever became of the first
    try:
        abi.init(candidate)
        library: ctypes.CDLL = abi.zwolib
    finally:
        abi.zwolib = None
    bind(library, abi)
    return Sdk(library, abi, _file_of(candidate))


def _file_of(candidate: str) -> str:
    """The path the linker resolved a bare name to."""
    if "/" in candidate:
        return candidate
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return next((line.split(maxsplit=5)[5] for line in lines if "/libASICamera2.so" in line), candidate)


def _reason(candidate: str, fault: Exception) -> str:
    text = str(fault)
    if isinstance(fault, AttributeError):
        return f"{candidate} is too old or no ZWO library ({text})"
    if "libusb" in text:
        return f"{candidate} needs libusb: `apt install libusb-1.0-0` ({text})"
    if "libudev" in text:
        return f"{candidate} needs libudev: `apt install libudev1` ({text})"
    return text if candidate in text else f"{candidate}: {text}"


def _import_zwoasi() -> Any:
    """Import zwoasi without its own search for the library, and without the root log handler it installs.

    Its import loads whatever find_library finds, dies with it, and otherwise warns by logging.warning, which
    puts a handler on stderr under the screen.
    """
    if "zwoasi" not in sys.modules:
        with _no_library_found(), _deaf_root_logger():
            import zwoasi  # noqa: F401
    return sys.modules["zwoasi"]


@contextmanager
def _no_library_found() -> Iterator[None]:
    search = ctypes.util.find_library
    ctypes.util.find_library = _nothing
    try:
        yield
    finally:
        ctypes.util.find_library = search


def _nothing(name: str) -> str | None:  # noqa: ARG001 - called as find_library is
    return None


@contextmanager
def _deaf_root_logger() -> Iterator[None]:
    handler = logging.NullHandler()

    def foreign(record: logging.LogRecord) -> bool:
        return "zwoasi" not in record.pathname

    logging.root.addHandler(handler)
    logging.root.addFilter(foreign)
    try:
        yield
    finally:
        logging.root.removeFilter(foreign)
        logging.root.removeHandler(handler)
