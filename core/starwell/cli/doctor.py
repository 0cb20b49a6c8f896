"""`starwell doctor`: what would spoil the night, line by line, and what to type to mend it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from starwell import __version__, config
from starwell.camera.drivers import connect, drivers
from starwell.camera.protocol import CameraFacts, Driver
from starwell.cli import checks
from starwell.cli.checks import Finding, Mark
from starwell.cli.machine import Machine
from starwell.errors import StarwellError
from starwell.terminal.ask import Answer, ask

_SIGNS = {Mark.GOOD: "[green]good[/]", Mark.BAD: "[red]bad [/]", Mark.NOTE: "[yellow]note[/]"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell doctor`."""
    parser.epilog = "exit codes: 0 nothing is bad; 1 something is"
    parser.add_argument("--camera", metavar="CAMERA", help="the camera of the night (default: the rig's)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the nights go (default: as configured)"
    )
    parser.add_argument(
        "--ask-terminal", action="store_true", help="ask it for sixels; press no key meanwhile"
    )


def run(arguments: argparse.Namespace, machine: Machine | None = None) -> int:
    """Look at everything; 1 when something is bad."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"starwell {__version__}")
    bad = 0
    for finding in findings(arguments, machine or Machine()):
        bad += finding.mark is Mark.BAD
        console.print(f"{_SIGNS[finding.mark]} {finding.subject:<13} {escape(finding.text)}")
        if finding.mend and finding.mark is not Mark.GOOD:
            console.print(f"     {'':<13} → {escape(finding.mend)}")
    return 1 if bad else 0


def findings(arguments: argparse.Namespace, machine: Machine) -> Iterator[Finding]:
    """Every check, in the order in which a night needs them."""
    home = config.home(machine.env)
    try:
        settings = config.load(home.config)
        yield Finding("settings", Mark.GOOD, str(home.config / "config.toml"))
    except StarwellError as error:
        settings = config.Config()
        yield Finding("settings", Mark.BAD, str(error), f"nano {home.config / 'config.toml'}")
    named = arguments.camera or settings.rig.camera
    zwo = drivers(settings.zwo_library)[0]
    wanted = named is None or named.partition(":")[0] == "zwo"
    yield _as_wanted(checks.sdk(zwo.available()), wanted)
    yield _as_wanted(checks.udev(machine), wanted)
    yield _as_wanted(checks.usbfs(machine), wanted)
    yield from (_as_wanted(finding, wanted) for finding in checks.usb(machine))
    camera, finding = _camera(named, zwo, settings.zwo_library)
    yield finding
    power = checks.pi_power(machine)
    if power is not None:
        yield power
    yield checks.memory(machine, camera)
    data = arguments.data or (Path(settings.data).expanduser() if settings.data else home.data)
    yield from checks.disk(machine, data, camera)
    yield checks.clock(machine)
    yield checks.terminal(machine, _asked() if arguments.ask_terminal else None)


def _asked() -> Answer | None:
    """What the terminal says; None where there is none or it says nothing."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return ask(sys.stdin.fileno(), sys.stdout.fileno())


def _as_wanted(finding: Finding, wanted: bool) -> Finding:
    """The finding, which is only a note to whoever uses no camera of ZWO's."""
    if finding.mark is Mark.BAD and not wanted:
        return Finding(finding.subject, Mark.NOTE, f"{finding.text} (not needed for this camera)")
    return finding


def _camera(named: str | None, zwo: Driver, library: str | None) -> tuple[CameraFacts | None, Finding]:
    """The camera of the night, found without opening it: the one named, else the largest of ZWO's."""
    try:
        if named is not None and named.partition(":")[0] != "zwo":
            facts = connect(named, zwo_library=library).facts
            return facts, Finding("camera", Mark.GOOD, described(facts))
        uid = named.partition(":")[2] if named else ""
        usable = zwo.available().usable
        found = zwo.discover() if usable else []
    except StarwellError as error:
        return None, Finding("camera", Mark.BAD, str(error))
    mine = [facts for facts in found if not uid or uid in (facts.uid, facts.name)] or found
    largest = max(mine, key=lambda facts: facts.width * facts.height, default=None)
    if largest is None:
        why = "no ZWO camera answers" if usable else "no ZWO camera can be looked for"
        mend = "check its cable and its 12 V; try without: starwell run --camera simulated"
        return None, Finding("camera", Mark.NOTE, why, mend)
    return largest, Finding("camera", Mark.GOOD, described(largest))


def described(facts: CameraFacts) -> str:
    """A camera in one line."""
    parts = [
        facts.name,
        f"{facts.driver}:{facts.uid}",
        f"{facts.width}×{facts.height} px" if facts.width else None,
        f"{facts.pixel_um:g} µm" if facts.pixel_um else None,
        f"{facts.adc_bits} bit" if facts.adc_bits else None,
        facts.bayer.value if facts.bayer else None,
        "cooled" if facts.cooled else None,
        None if facts.usb3 is None else "USB 3" if facts.usb3 else "USB 2",
    ]
    return ", ".join(part for part in parts if part)
