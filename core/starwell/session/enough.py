"""Whether a stack has enough memory here: said before it begins, with what takes less."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from starwell.camera.protocol import Camera, CameraFacts
from starwell.frame import Colour, Exposure, Kind
from starwell.session.budget import Need, budget, gb, offered
from starwell.session.events import QualityAdvice
from starwell.session.plan import MasterPaths, Plan


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that programs can still get, swap included; None where the system does not tell."""
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    found = re.findall(r"^(?:MemAvailable|SwapFree):\s+(\d+) kB", text, re.MULTILINE)
    return sum(map(int, found)) * 1024 if "MemAvailable" in text else None


class Verdict(NamedTuple):
    """Whether it fits, in a sentence."""

    fits: bool
    words: str


def verdict(need: Need, available: int | None) -> Verdict:
    """Whether a stack has enough memory; where that is not known it has."""
    height, width = need.size
    colour = "" if need.channels == 1 else f" in colour ({need.colour.value})"
    kind = (
        "An exact stack"
        if need.exact
        else "A live stack"
        if need.stacks == 1
        else f"{need.stacks} live stacks"
    )
    takes = "take" if need.stacks > 1 else "takes"
    peak = budget(need).peak_bytes
    what = f"{kind} of {width}×{height} px{colour} {takes} {gb(peak)} of memory"
    if available is None:
        return Verdict(True, f"{what}.")
    if peak <= available:
        return Verdict(True, f"{what} of the {gb(available)} to be had.")
    less = offered(need)
    return Verdict(False, f"{what}, and {gb(available)} can be had{f': {less}' if less else ''}.")


def memory_advice(plan: Plan, camera: Camera | None, available: int | None) -> QualityAdvice | None:
    """What to say of a night's stack before it begins; serious: there is too little memory for it.

    No frame is to be lost to a stack that does not fit: they are taken all the same.
    """
    need = need_of_plan(plan, camera.facts) if plan.stack.live and camera is not None else None
    if need is None:
        return None
    fits, words = verdict(need, available)
    if not fits:
        words += " Frames are taken and saved; nothing is stacked tonight."
    return QualityAdvice(subject="memory", advice=words, serious=not fits)


def need_of_plan(plan: Plan, camera: CameraFacts) -> Need | None:
    """The largest frames of the plan's lights, and the number of stacks; None before a size is known."""
    lights = [
        series.exposure
        for target in plan.targets
        for series in target.series
        if series.exposure.kind is Kind.LIGHT
    ]
    if not lights or not camera.width or not camera.height:
        return None
    size = max((_size(exposure, camera) for exposure in lights), key=lambda size: size[0] * size[1])
    kept_apart = {
        (target.name, s.filter, s.exposure_s, s.gain) for target in plan.targets for s in target.series
    }
    return need_of(size, camera, plan.masters, Colour(plan.stack.colour), stacks=len(kept_apart))


def need_of(
    size: tuple[int, int], camera: CameraFacts, masters: MasterPaths, colour: Colour, *, stacks: int = 1
) -> Need:
    """A live stack of this camera's frames."""
    return Need(
        size,
        mosaic=camera.bayer is not None,
        colour=colour,
        dark=masters.dark is not None or masters.bias is not None,
        flat=masters.flat is not None,
        low_light=masters.low_light is not None,
        camera=camera.driver == "zwo",
        stacks=stacks,
    )


def _size(exposure: Exposure, camera: CameraFacts) -> tuple[int, int]:
    if exposure.roi is not None:
        return exposure.roi.height, exposure.roi.width
    binned = max(exposure.bin, 1)
    return camera.height // binned, camera.width // binned
