"""`starwell cameras`: what is connected; with a camera named, its controls and their ranges."""

from __future__ import annotations

import argparse

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from starwell import config
from starwell.camera.drivers import KNOWN, connect, drivers
from starwell.camera.protocol import Camera, CameraFacts, Telemetry
from starwell.cli.doctor import described


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell cameras`."""
    parser.epilog = (
        f"CAMERA is {KNOWN}.\n"
        "Cameras are opened only when they are named: another program, say for guiding, may use the others."
    )
    parser.add_argument("camera", nargs="?", metavar="CAMERA", help="open this one, and list its controls")
    parser.add_argument("--json", action="store_true", help="the same for machines")


def run(arguments: argparse.Namespace) -> int:
    """List cameras, or the controls of one."""
    library = config.load(config.home().config).zwo_library
    if arguments.camera is None:
        return _list(library, json=arguments.json)
    camera = connect(arguments.camera, zwo_library=library)
    camera.open()
    try:
        return _show(camera, json=arguments.json)
    finally:
        camera.close()


def _list(library: str | None, *, json: bool) -> int:
    kinds = [(driver.name, driver.available(), driver.discover()) for driver in drivers(library)]
    if json:
        listed = [
            {"driver": name, "usable": found.usable, "why": found.why, "cameras": cameras}
            for name, found, cameras in kinds
        ]
        print(msgspec.json.encode(listed).decode())
        return 0
    console = Console(highlight=False, soft_wrap=True)
    for name, found, cameras in kinds:
        console.print(f"[bold]{name}[/] {escape(found.why)}")
        for facts in cameras:
            console.print(f"  {described(facts)}", markup=False)
        if found.usable and not cameras:
            console.print("  none is connected")
    console.print("`starwell cameras CAMERA` opens one and lists its controls.", markup=False)
    return 0


def _show(camera: Camera, *, json: bool) -> int:
    facts, controls, told = camera.facts, camera.controls(), camera.telemetry()
    if json:
        values = {control: camera.get(control) for control in controls}
        listed = {"camera": facts, "controls": dict(controls), "values": values, "telemetry": told}
        print(msgspec.json.encode(listed).decode())
        return 0
    console = Console(highlight=False, soft_wrap=True)
    console.print(described(facts), markup=False)
    console.print(_beside(facts, told), markup=False)
    table = Table("control", "now", "range", "unit", box=None, pad_edge=False)
    for control, limits in controls.items():
        span = f"{limits.low:g} to {limits.high:g}" if limits.writable else "read only"
        table.add_row(control.value, f"{camera.get(control):g}", span, limits.unit)
    if controls:
        console.print(table)
    return 0


def _beside(facts: CameraFacts, told: Telemetry) -> str:
    bins = f"bins {', '.join(map(str, facts.bins))}"
    celsius = "" if told.sensor_celsius is None else f"; sensor at {told.sensor_celsius:g} °C"
    power = "" if told.cooler_percent is None else f", cooler at {told.cooler_percent:g} %"
    return f"{bins}; windows in steps of {facts.roi_step[0]}×{facts.roi_step[1]} px{celsius}{power}"
