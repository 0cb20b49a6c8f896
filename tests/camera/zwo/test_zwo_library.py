"""Finding and loading ZWO's library, and what its answers become."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from starwell import errors
from starwell.camera import zwo_library
from starwell.camera.zwo_sdk import fault
from starwell.errors import CameraError, CameraGone, CameraNotFound, ControlRefused, Transient

ASK = """
import logging, sys
from starwell.camera import zwo_library
handlers = list(logging.root.handlers)
print(*zwo_library.available(sys.argv[1] or None), sep="|")
try:
    print(zwo_library.load(sys.argv[1] or None).listed())
except Exception as fault:
    print(type(fault).__name__)
assert logging.root.handlers == handlers and not logging.root.filters
logging.warning("still heard")
"""


def asked(library: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """What a fresh interpreter that treats warnings as errors says of a library."""
    full = {name: value for name, value in os.environ.items() if name not in ("ZWO_ASI_LIB", "FAKEASI_STATE")}
    command = [sys.executable, "-W", "error", "-c", ASK, str(library)]
    return subprocess.run(command, capture_output=True, text=True, env=full | env, check=False)


def test_the_library_is_told_with_version_and_file(library: Path) -> None:
    said = asked(library)
    assert said.stdout.startswith(f"True|ZWO SDK 1.99, {library}\n")
    assert said.stderr == "WARNING:root:still heard\n"


def test_the_environment_names_the_library(library: Path) -> None:
    assert asked("", ZWO_ASI_LIB=str(library)).stdout.startswith("True|ZWO SDK 1.99")


def test_a_named_library_that_is_missing_is_not_replaced_by_another(tmp_path: Path) -> None:
    said = asked(tmp_path / "nothing.so")
    assert said.stdout.startswith("False|ZWO's library cannot be used: ")
    assert "nothing.so" in said.stdout
    assert said.stdout.endswith("CameraNotFound\n")
    assert said.stderr == "WARNING:root:still heard\n"


def test_without_a_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZWO_ASI_LIB", raising=False)
    monkeypatch.setattr(zwo_library, "candidates", lambda: iter(["libASICamera2-not-here.so"]))
    usable, why = zwo_library.available()
    assert not usable
    for word in ("apt install libasi", "ZWO's own SDK", "ZWO_ASI_LIB"):
        assert word in why


def test_the_next_candidate_is_tried_after_one_that_does_not_load(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "libASICamera2.so"
    broken.write_bytes(b"\x7fELF of nothing")
    monkeypatch.delenv("ZWO_ASI_LIB", raising=False)
    monkeypatch.setattr(zwo_library, "candidates", lambda: iter([str(broken), str(library)]))
    assert zwo_library.load().file == str(library)


def test_a_library_without_the_calls_is_called_too_old(
    fakeasi: ModuleType, library: Path, tmp_path: Path
) -> None:
    source, old = tmp_path / "old.c", tmp_path / "libold.so"
    source.write_text("int ASIGetNumOfConnectedCameras(void) { return 0; }")
    subprocess.run([fakeasi.compiler(), "-shared", "-fPIC", "-o", old, source], check=True)
    with pytest.raises(CameraNotFound, match="too old or no ZWO library"):
        zwo_library.load(str(old))
    assert zwo_library.load(str(library)).version == "1.99"


def test_the_usual_places_come_after_the_linker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: "libASICamera2.so.1.27")
    assert list(zwo_library.candidates())[:2] == ["libASICamera2.so.1.27", "libASICamera2.so"]


def test_struct_layouts_are_those_of_the_header(library: Path) -> None:
    zwo_library.load(str(library))
    abi = sys.modules["zwoasi"]
    if ctypes.sizeof(ctypes.c_long) == 8:
        assert ctypes.sizeof(abi._ASI_CAMERA_INFO) == 248
        assert ctypes.sizeof(abi._ASI_CONTROL_CAPS) == 264
        assert abi._ASI_CAMERA_INFO.ElecPerADU.offset == 220
        assert abi._ASI_CONTROL_CAPS.MaxValue.offset == 192


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (2, CameraGone),
        (4, CameraGone),
        (5, CameraGone),
        (8, ControlRefused),
        (11, Transient),
        (16, Transient),
    ],
)
def test_answers_become_the_errors_of_cameras(code: int, kind: type[CameraError]) -> None:
    assert type(fault(code, "ASISomething")) is kind


@pytest.mark.parametrize("code", range(1, 30))
def test_every_answer_has_a_message_with_the_call_in_it(code: int) -> None:
    raised = fault(code, "ASISomething")
    assert "(ASISomething: " in str(raised)
    assert getattr(errors, type(raised).__name__) is type(raised)


def test_the_real_library_loads_and_answers() -> None:
    """Debian's libasi, ZWO's own SDK, or the file in STARWELL_ZWO_LIBRARY."""
    said = asked(os.environ.get("STARWELL_ZWO_LIBRARY", ""))
    if said.stdout.startswith("False"):
        pytest.skip("ZWO's library is not installed; STARWELL_ZWO_LIBRARY can name one")
    usable, cameras = said.stdout.splitlines()
    assert usable.startswith("True|ZWO SDK 1.")
    assert cameras.startswith("[")
    assert said.stderr == "WARNING:root:still heard\n"
