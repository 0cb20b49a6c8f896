"""`starwell bench`: what this very machine keeps up with, in under a minute."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from starwell import __version__, config
from starwell.cli.machine import Machine, Usb
from starwell.heap import keep_heap_small
from starwell.session.benchmark import SENSORS, Case, Line, Sensor, cases
from starwell.session.budget import Need, budget

_SECONDS = 45.0


class Measured(msgspec.Struct, frozen=True):
    """A measured size: seconds to a sub of a warm stack."""

    width: int
    height: int
    colour: bool
    seconds: float
    subs: int


class KeepsUp(msgspec.Struct, frozen=True):
    """A camera: what a sub of it takes here, and the shortest exposure that stacking and disk keep up with.

    measured: false where stack_s is computed from other sizes. fits: whether a live stack has the memory.
    """

    camera: str
    megapixels: float
    measured: bool
    stack_s: float
    write_s: float | None
    exposure_s: float
    memory_bytes: int
    fits: bool | None


class Device(msgspec.Struct, frozen=True):
    """A ZWO device on the USB."""

    name: str
    mbit_s: float


class Told(msgspec.Struct, frozen=True):
    """Everything `starwell bench` has to say."""

    version: str
    machine: str
    cores: int
    available_bytes: int | None
    folder: str
    writing_mb_s: float | None
    usb: tuple[Device, ...]
    measured: tuple[Measured, ...]
    cameras: tuple[KeepsUp, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell bench`."""
    add = parser.add_argument
    add("--json", action="store_true", help="one object on stdout")
    add("--data", type=Path, metavar="DIR", help="whose disk is measured (default: where the nights go)")
    add("--seconds", type=_seconds, default=_SECONDS, metavar="S", help="end after about so long (45)")


def run(arguments: argparse.Namespace, machine: Machine | None = None) -> int:
    """Measure and tell."""
    keep_heap_small()
    told = _told(arguments, machine or Machine())
    if arguments.json:
        print(msgspec.json.encode(told).decode())
    else:
        _show(told)
    return 0


def _told(arguments: argparse.Namespace, machine: Machine) -> Told:
    folder, speed = _disk(arguments.data, machine)
    available = machine.available_bytes
    found: list[Case] = []
    for case in cases(arguments.seconds, available):
        colour = "colour" if case.colour else "mono"
        if not arguments.json:
            print(f"{case.megapixels:.1f} MP {colour}: {case.seconds:.3f} s a sub", file=sys.stderr)
        found.append(case)
    return Told(
        version=__version__,
        machine=machine.pi_model or f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        available_bytes=available,
        folder=str(folder),
        writing_mb_s=speed,
        usb=tuple(_device(usb) for usb in machine.zwo_devices()),
        measured=tuple(Measured(c.size[1], c.size[0], c.colour, c.seconds, c.subs) for c in found),
        cameras=tuple(kept for s in SENSORS if (kept := keeps_up(s, found, speed, available)) is not None),
    )


def _disk(data: Path | None, machine: Machine) -> tuple[Path, float | None]:
    """The folder nights go to, or the one that is to hold it, and how fast it is written."""
    home = config.home(machine.env)
    settings = config.load(home.config)
    folder = data or (Path(settings.data).expanduser() if settings.data else home.data)
    while not folder.exists():
        folder = folder.parent
    try:
        return folder, machine.writing_mb_s(folder)
    except OSError:
        return folder, None


def keeps_up(
    sensor: Sensor, found: Sequence[Case], writing_mb_s: float | None, available: int | None
) -> KeepsUp | None:
    """What a camera takes here; None where nothing of its kind could be measured."""
    alike = [case for case in found if case.colour == sensor.colour]
    line = Line.through(alike)
    if line is None:
        return None
    exactly = next((case for case in alike if case.size == sensor.size), None)
    stack_s = exactly.seconds if exactly is not None else line.seconds(sensor.megapixels)
    write_s = 2 * sensor.megapixels / writing_mb_s if writing_mb_s else None
    needed = budget(Need(sensor.size, mosaic=sensor.colour, camera=True)).peak_bytes
    return KeepsUp(
        camera=sensor.camera,
        megapixels=sensor.megapixels,
        measured=exactly is not None,
        stack_s=stack_s,
        write_s=write_s,
        exposure_s=max(stack_s, write_s or 0.0),
        memory_bytes=needed,
        fits=None if available is None else needed <= available,
    )


def _device(usb: Usb) -> Device:
    return Device(usb.name, usb.mbit_s)


def _show(told: Told) -> None:
    console = Console(highlight=False, soft_wrap=True)
    memory = "" if told.available_bytes is None else f", {told.available_bytes / 1e9:.1f} GB to be had"
    console.print(f"starwell {told.version} on {told.machine}, {told.cores} cores{memory}")
    speed = "cannot be written" if told.writing_mb_s is None else f"{told.writing_mb_s:.0f} MB/s, synced"
    console.print(f"disk {told.folder}: {speed}")
    for device in told.usb:
        console.print(f"USB {device.name}: {device.mbit_s:g} Mbit/s")
    if not told.cameras:
        console.print("There was not time or memory enough to measure one sub: try --seconds 300.")
        return
    table = Table("camera", "MP", "a sub takes", "writing it", "keeps up from", "memory", box=None)
    for camera in told.cameras:
        table.add_row(
            camera.camera,
            f"{camera.megapixels:.0f}",
            f"{camera.stack_s:.2f} s{'' if camera.measured else ' computed'}",
            "" if camera.write_s is None else f"{camera.write_s:.2f} s",
            f"{camera.exposure_s:.1f} s",
            f"{camera.memory_bytes / 1e9:.1f} GB{' too much' if camera.fits is False else ''}",
        )
    console.print(table)
    console.print(
        "Live stacks at full size with dark and flat. Computed: from the line through the sizes measured."
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0 and at most 3600 seconds")
    return value
