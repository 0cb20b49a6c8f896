"""`starwell doctor` on machines made up: every fault is found, and what mends it is said."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from starwell.camera.protocol import Availability, CameraFacts
from starwell.cli import checks, doctor
from starwell.cli.checks import Mark
from starwell.cli.machine import Machine, answer, clock_is_synchronised, writing_mb_s
from starwell.frame import Bayer
from starwell.terminal.ask import Answer

CAMERA = CameraFacts("zwo", "0123", "ZWO ASI6200MM", 9576, 6388)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which everything is well."""
    root = tmp_path / "root"
    put(root, "sys/module/usbcore/parameters/usbfs_memory_mb", "1000\n")
    put(root, "lib/udev/rules.d/99-asi.rules", 'ATTRS{idVendor}=="03c3", MODE="0666"\n')
    put(root, "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n")
    put(root, "proc/device-tree/model", "Raspberry Pi 5 Model B\0")
    device(root, "2-1", speed=5000)
    return Machine(
        root=root,
        env={"TERM": "xterm-256color", "LANG": "C.UTF-8", "STARWELL_HOME": str(tmp_path / "home")},
        answer=answers("throttled=0x0"),
        clock_is_synchronised=lambda: True,
        free_bytes=lambda folder: 500 * 10**9,
        writing_mb_s=lambda folder: 200.0,
    )


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def device(root: Path, name: str, speed: int) -> Path:
    folder = f"sys/bus/usb/devices/{name}"
    said = {"idVendor": "03c3", "busnum": "2", "devnum": "4", "speed": str(speed), "product": "ASI6200MM"}
    for key, value in said.items():
        put(root, f"{folder}/{key}", f"{value}\n")
    put(root, "dev/bus/usb/002/004", "")
    return root / "dev/bus/usb/002/004"


def answers(text: str | None) -> Any:
    def answer(words: Sequence[str]) -> str | None:
        assert words[0] == "vcgencmd"
        return text

    return answer


def test_a_sound_machine_is_good_throughout(machine: Machine, tmp_path: Path) -> None:
    found = [
        checks.sdk(Availability(True, "ZWO SDK 1.41, /usr/lib/libASICamera2.so")),
        checks.udev(machine),
        checks.usbfs(machine),
        *checks.usb(machine),
        checks.pi_power(machine),
        checks.memory(machine, CAMERA),
        *checks.disk(machine, tmp_path, CAMERA),
        checks.clock(machine),
        checks.terminal(machine),
    ]
    assert [finding.mark for finding in found if finding] == [Mark.GOOD] * 10


@pytest.mark.parametrize(
    ("found", "mend"),
    [
        (Availability(False, "not found"), "apt install libasi"),
        (Availability(True, "ZWO SDK 1.27, /usr/lib/libASICamera2.so"), "ZWO_ASI_LIB"),
    ],
)
def test_a_missing_or_old_sdk_is_bad(found: Availability, mend: str) -> None:
    finding = checks.sdk(found)
    assert finding.mark is Mark.BAD
    assert mend in finding.mend


def test_a_missing_udev_rule_is_bad_and_the_line_to_type_is_complete(machine: Machine) -> None:
    rule = machine.udev_rule()
    assert rule is not None
    rule.write_text("# nothing about cameras\n")
    finding = checks.udev(machine)
    assert finding.mark is Mark.BAD
    assert re.search(r"03c3.*tee /etc/udev/rules\.d/\S+ && sudo udevadm", finding.mend)


@pytest.mark.parametrize(
    ("said", "mark"), [("16", Mark.BAD), ("199", Mark.BAD), ("200", Mark.GOOD), ("0", Mark.GOOD)]
)
def test_little_usb_memory_is_bad(machine: Machine, said: str, mark: Mark) -> None:
    put(machine.root, "sys/module/usbcore/parameters/usbfs_memory_mb", said)
    assert checks.usbfs(machine).mark is mark


def test_a_kernel_without_usb_tells_nothing(machine: Machine) -> None:
    (machine.root / "sys/module/usbcore/parameters/usbfs_memory_mb").unlink()
    assert checks.usbfs(machine).mark is Mark.NOTE


def test_usb_2_is_noted_and_a_device_one_may_not_open_is_bad(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = device(machine.root, "2-1", speed=480)
    assert [finding.mark for finding in checks.usb(machine)] == [Mark.NOTE]
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != node and access(path, mode))
    (finding,) = checks.usb(machine)
    assert finding.mark is Mark.BAD
    assert "ASI6200MM" in finding.text


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ("throttled=0x0", Mark.GOOD),
        ("throttled=0x50000", Mark.BAD),
        ("throttled=0x1", Mark.BAD),
        (None, Mark.NOTE),
    ],
)
def test_a_pi_with_too_little_power_is_bad(machine: Machine, said: str | None, mark: Mark) -> None:
    finding = checks.pi_power(replace(machine, answer=answers(said)))
    assert finding is not None
    assert finding.mark is mark


def test_other_machines_are_not_asked_for_a_pis_power(machine: Machine) -> None:
    (machine.root / "proc/device-tree/model").unlink()
    assert checks.pi_power(machine) is None


def test_memory_is_counted_for_the_camera_and_colour_needs_more(machine: Machine) -> None:
    put(machine.root, "proc/meminfo", "MemAvailable: 2000000 kB\nSwapFree: 900000 kB\n")
    assert checks.memory(machine, CAMERA).mark is Mark.GOOD
    colour = checks.memory(machine, replace(CAMERA, bayer=Bayer.RGGB))
    assert colour.mark is Mark.BAD
    for way in ("--super-pixel takes 2.", "--bin 2 takes 1.", "--no-stack takes 0."):
        assert way in colour.mend
    assert checks.memory(machine, None).mark is Mark.GOOD


def test_a_full_slow_or_locked_disk_is_bad(machine: Machine, tmp_path: Path) -> None:
    def locked(folder: Path) -> float:
        raise PermissionError(13, "Permission denied")

    data = tmp_path / "not" / "yet" / "there"
    space, speed = checks.disk(replace(machine, free_bytes=lambda folder: 10**9), data, CAMERA)
    assert (space.mark, speed.mark) == (Mark.BAD, Mark.GOOD)
    assert "8 frames" in space.text
    _, speed = checks.disk(replace(machine, writing_mb_s=lambda folder: 5.0), data, None)
    assert speed.mark is Mark.BAD
    _, speed = checks.disk(replace(machine, writing_mb_s=locked), data, None)
    assert "Permission denied" in speed.text


@pytest.mark.parametrize(("said", "mark"), [(True, Mark.GOOD), (False, Mark.BAD), (None, Mark.NOTE)])
def test_an_unsynchronised_clock_is_bad(machine: Machine, said: bool | None, mark: Mark) -> None:
    assert checks.clock(replace(machine, clock_is_synchronised=lambda: said)).mark is mark


@pytest.mark.parametrize(
    ("env", "mark"),
    [
        ({"TERM": "xterm", "LANG": "de_DE.UTF-8"}, Mark.GOOD),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, Mark.NOTE),
        ({"TERM": "dumb"}, Mark.NOTE),
        ({"TERM": "xterm-256color", "LANG": "C"}, Mark.NOTE),
    ],
)
def test_the_terminal_is_told_from_its_environment(machine: Machine, env: dict[str, str], mark: Mark) -> None:
    assert checks.terminal(replace(machine, env=env)).mark is mark


def test_a_terminal_that_was_asked_is_quoted(machine: Machine) -> None:
    told = checks.terminal(machine, Answer(sixel=True, cell_px=(17, 8), seconds=0.012))
    assert "sixels yes, answered in 12 ms" in told.text


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert writing_mb_s(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
    assert clock_is_synchronised() in (True, False, None)
    assert answer(["sh", "-c", "echo hello"]) == "hello"
    assert answer(["false"]) is None
    assert answer(["no-such-program-at-all"]) is None


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZWO_ASI_LIB", str(tmp_path / "missing.so"))


def asked(**options: object) -> argparse.Namespace:
    return argparse.Namespace(**{"camera": None, "data": None, "ask_terminal": False} | options)


@pytest.mark.usefixtures("no_library")
def test_without_zwos_library_a_night_with_zwo_is_bad_and_a_simulated_one_good(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.run(asked(), machine) == 1
    told = capsys.readouterr().out
    assert "bad  ZWO SDK" in told
    assert "apt install libasi" in told
    assert doctor.run(asked(camera="simulated"), machine) == 0
    told = capsys.readouterr().out
    assert "Simulated ASI2600" in told
    assert "not needed for this camera" in told


@pytest.mark.usefixtures("no_library")
def test_settings_with_a_fault_are_bad_with_their_line(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Path(machine.env["STARWELL_HOME"])
    put(home, "config.toml", "[rig]\nfocal_mm = 'long'\n")
    assert doctor.run(asked(camera="simulated"), machine) == 1
    assert "line 2: rig.focal_mm should be a number" in capsys.readouterr().out
