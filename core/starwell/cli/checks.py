"""What can be wrong before a night begins, and what to type to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from starwell.camera.protocol import Availability, CameraFacts
from starwell.cli.machine import Machine
from starwell.frame import Colour
from starwell.session.budget import budget, gb, offered
from starwell.session.enough import need_of, verdict
from starwell.session.plan import MasterPaths
from starwell.terminal import probe
from starwell.terminal.ask import Answer
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode

_SDK_SINCE = (1, 37)
_USBFS_MB = 200
_SLOWEST_MB_S = 20.0
_LEAST_FREE_GB = 10.0
_UNDER_VOLTAGE = {0: "is too low now", 16: "was too low since it was switched on"}


class Mark(StrEnum):
    """How a thing stands; NOTE: neither good nor bad."""

    GOOD = "good"
    BAD = "bad"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; mend says what to type or do."""

    subject: str
    mark: Mark
    text: str
    mend: str = ""


def sdk(found: Availability) -> Finding:
    """ZWO's library and its age."""
    if not found.usable:
        return Finding("ZWO SDK", Mark.BAD, found.why, "sudo apt install libasi   # Debian: from non-free")
    version = re.search(r"(\d+)\.(\d+)", found.why)
    if version and (int(version[1]), int(version[2])) < _SDK_SINCE:
        old = f"{found.why}: older than {'.'.join(map(str, _SDK_SINCE))}, which mended lost exposures"
        return Finding(
            "ZWO SDK", Mark.BAD, old, "take ZWO's SDK from zwoastro.com, and name it in ZWO_ASI_LIB"
        )
    return Finding("ZWO SDK", Mark.GOOD, found.why)


def udev(machine: Machine) -> Finding:
    """Whether a user may open the camera."""
    rule = machine.udev_rule()
    if rule is not None:
        return Finding("udev rule", Mark.GOOD, str(rule))
    mend = (
        'echo \'SUBSYSTEM=="usb", ATTR{idVendor}=="03c3", MODE="0666"\' | sudo tee '
        "/etc/udev/rules.d/99-asi.rules && sudo udevadm control --reload && sudo udevadm trigger"
    )
    return Finding("udev rule", Mark.BAD, "no rule lets users open ZWO's cameras", mend)


def usbfs(machine: Machine) -> Finding:
    """Memory the kernel lends to USB transfers."""
    text = machine.text("sys/module/usbcore/parameters/usbfs_memory_mb")
    if text is None or not text.isdigit():
        return Finding("USB memory", Mark.NOTE, "this kernel does not tell")
    megabytes = int(text)
    if megabytes == 0 or megabytes >= _USBFS_MB:
        return Finding("USB memory", Mark.GOOD, f"{megabytes or 'unlimited'} MB")
    return Finding(
        "USB memory",
        Mark.BAD,
        f"{megabytes} MB: large frames get lost below {_USBFS_MB} MB",
        "echo 1000 | sudo tee /sys/module/usbcore/parameters/usbfs_memory_mb   # for good: usbcore."
        "usbfs_memory_mb=1000 on the kernel's command line",
    )


def usb(machine: Machine) -> Iterator[Finding]:
    """ZWO's devices, and how fast they are connected."""
    devices = machine.zwo_devices()
    if not devices:
        yield Finding("USB", Mark.NOTE, "no ZWO device is connected")
    for device in devices:
        speed = f"{device.name} at {device.mbit_s:g} Mbit/s"
        if not device.usable:
            mend = "sudo apt install libasi, then unplug it and plug it in again"
            yield Finding("USB", Mark.BAD, f"{speed}: this user may not open it", mend)
        elif device.mbit_s < 5000:
            mend = "use a blue USB 3 port and a USB 3 cable; small cameras have no USB 3 themselves"
            yield Finding("USB", Mark.NOTE, f"{speed}: that is USB 2, slow for large frames", mend)
        else:
            yield Finding("USB", Mark.GOOD, speed)


def pi_power(machine: Machine) -> Finding | None:
    """Whether a Raspberry Pi gets enough power; None on other machines."""
    if machine.pi_model is None:
        return None
    said = machine.answer(["vcgencmd", "get_throttled"]) or ""
    found = re.search(r"0x([0-9a-fA-F]+)", said)
    if found is None:
        return Finding("power", Mark.NOTE, f"{machine.pi_model}: vcgencmd does not tell")
    bits = int(found[1], 16)
    low = [words for bit, words in _UNDER_VOLTAGE.items() if bits >> bit & 1]
    if not low:
        return Finding("power", Mark.GOOD, f"{machine.pi_model}: enough")
    return Finding(
        "power",
        Mark.BAD,
        f"{machine.pi_model}: the voltage {low[0]}; cameras drop out of the USB then",
        "use its own power supply and a short cable, and feed the camera's hub by itself; on a Pi 5 also: "
        "usb_max_current_enable=1 in /boot/firmware/config.txt",
    )


def terminal(machine: Machine, asked: Answer | None = None) -> Finding:
    """What the screen is drawn with, by the environment, and what the terminal said where it was asked."""
    depth, mode = probe.colour_depth(machine.env), probe.mode(machine.env)
    name = machine.env.get("TERM", "none")
    text = f"TERM={name}: {depth.value} colours, {mode.value} pictures"
    if machine.env.get("TMUX"):
        text += ", inside tmux"
    if asked is not None:
        text += f"; sixels {'yes' if asked.sixel else 'no'}, answered in {1000 * asked.seconds:.0f} ms"
    if depth in (ColourDepth.SIXTEEN, ColourDepth.MONO):
        return Finding("terminal", Mark.NOTE, text, "export TERM=xterm-256color   # where it can do that")
    if mode is Mode.ASCII:
        return Finding("terminal", Mark.NOTE, text, "export LANG=C.UTF-8")
    return Finding("terminal", Mark.GOOD, text)


def disk(machine: Machine, data: Path, camera: CameraFacts | None) -> Iterator[Finding]:
    """Room and speed where the nights go."""
    there = data
    while not there.exists():
        there = there.parent
    free = machine.free_bytes(there)
    text = f"{free / 1e9:.0f} GB free for {data}"
    if camera is not None and camera.width:
        text += f": {free // (2 * camera.width * camera.height):,} frames"
    if free < _LEAST_FREE_GB * 1e9:
        yield Finding(
            "disk space", Mark.BAD, text, f"move old nights away from {data}, or set data in config"
        )
    else:
        yield Finding("disk space", Mark.GOOD, text)
    try:
        speed = machine.writing_mb_s(there)
    except OSError as error:
        mend = f"sudo chown $USER {there}"
        yield Finding("disk speed", Mark.BAD, f"{there} cannot be written: {error.strerror}", mend)
        return
    if speed < _SLOWEST_MB_S:
        slow = f"{speed:.0f} MB/s: slow for large frames"
        yield Finding("disk speed", Mark.BAD, slow, 'put the nights on an SSD: data = "…" in config.toml')
    else:
        yield Finding("disk speed", Mark.GOOD, f"{speed:.0f} MB/s")


def memory(machine: Machine, camera: CameraFacts | None) -> Finding:
    """Whether a live stack of this camera's frames fits, with a dark and a flat, and what takes less."""
    available = machine.available_bytes
    if camera is None or not camera.width:
        if available is None:
            return Finding("memory", Mark.NOTE, "this system does not tell")
        return Finding("memory", Mark.GOOD, f"{gb(available)} to be had")
    masters = MasterPaths(dark="auto", flat="auto")
    need = need_of((camera.height, camera.width), camera, masters, Colour.FULL)
    fits, words = verdict(need, available)
    largest = sorted(budget(need).held, key=lambda part: -part.bytes)[:4]
    parts = ", ".join(f"{part.name} {gb(part.bytes)}" for part in largest)
    if not fits:
        return Finding("memory", Mark.BAD, words, f"one of these, or more memory or swap: {offered(need)}")
    mark = Mark.NOTE if available is None else Mark.GOOD
    return Finding("memory", mark, f"{words.rstrip('.')} ({parts})")


def clock(machine: Machine) -> Finding:
    """Whether the time in the headers will be right."""
    right = machine.clock_is_synchronised()
    if right is None:
        return Finding("clock", Mark.NOTE, "this system does not tell whether its clock is right")
    if right:
        return Finding("clock", Mark.GOOD, "synchronised")
    return Finding(
        "clock",
        Mark.BAD,
        "not synchronised: times in headers and the night's date may be wrong",
        "sudo timedatectl set-ntp true   # without a network: sudo date -s '2026-11-19 21:30'",
    )
