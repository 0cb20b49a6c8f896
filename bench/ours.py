"""starwell's side, a program for each measurement so that CPU and peak memory are its own; prints JSON.

python bench/ours.py running [--night mono|osc|small] [--subs N] [--undo] [--folder F]
python bench/ours.py align [--folder F]
python bench/ours.py combine [--subs N] [--folder F]
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import starwell  # noqa: F401  # before numpy, whose threads it counts, as in every program of starwell

# isort: split
import numpy as np

import frames
from calibrated import calibrated_subs, corner_error_px, masters
from starwell.align.match import Alignment, match
from starwell.align.transform import Transform
from starwell.calibration.calibrate import Calibrated, Calibrator
from starwell.calibration.master import Masters
from starwell.errors import StorageError
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.frame import Float32, Frame, Planes
from starwell.measure.compare import Normalisation
from starwell.measure.sub import measure
from starwell.session.build import Method
from starwell.session.events import StackStarted, SubStacked
from starwell.session.first_pass import first_pass
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline
from starwell.session.sets import LightSet, light_sets
from starwell.stack.contribution import band_rows
from starwell.stack.exact import second_pass
from starwell.stack.kernels import Kernel, Scratch
from starwell.stack.ledger import Entry
from starwell.stack.ring import RING
from starwell.stack.running import RunningStack
from starwell.stack.warmup import start
from starwell.stack.warp import Warp

ALIGNED = 6


def memory_mb(which: str) -> float:
    """VmHWM or VmRSS of this process, MB."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(which))


def running(folder: Path, night: str, subs: int, *, undo: bool) -> dict[str, Any]:
    """A running stack of so many subs, read from disk over and over; undo: the last one then goes out and in.

    The next sub is read and prepared while one is stacked, and the stack knows that more wait, as when a
    night is stacked again from disk: it begins once, with the seventh. Per sub: seconds of wall and CPU time
    from one to the next, and the memory held. fresh: the subs at which the stack began anew.
    """
    sets, _ = light_sets(frames.lights(folder, night))
    lights = sets[0]
    found = masters(folder, night)
    intake = Intake(Calibrator(found, lights.facts), found)
    del found
    pipeline = Pipeline(intake, partial(_frame, lights), read=partial(_frame, lights))
    told: dict[str, list[float]] = {"wall_s": [], "cpu_s": [], "rss_mb": []}
    fresh, stacked = [], 0
    started, cpu = time.perf_counter(), time.process_time()
    numbers = range(1, subs + 1)
    for number, sub in zip(numbers, intake.prepared(numbers, partial(_frame, lights)), strict=True):
        if isinstance(sub, StorageError):
            raise sub
        events = list(pipeline.feed(sub, more=number < subs))
        now, spent = time.perf_counter(), time.process_time()
        told["wall_s"].append(now - started)
        told["cpu_s"].append(spent - cpu)
        started, cpu = now, spent
        told["rss_mb"].append(memory_mb("VmRSS"))
        fresh += [number for event in events if isinstance(event, StackStarted)]
        stacked = next((event.stacked for event in events if isinstance(event, SubStacked)), stacked)
    del sub  # and with it its room
    list(pipeline.finish())
    for _ in (pipeline.reject(subs), pipeline.restore(subs)) if undo else ():
        list(_)
    assert pipeline.stack is not None
    fits.write(folder / "running.fits", _mean(pipeline.stack), {}, overwrite=True)
    return {**told, "fresh": fresh, "stacked": stacked, "peak_mb": memory_mb("VmHWM")}


def _mean(stack: RunningStack) -> fits.Banded:
    """The mean, made while it is written, as `starwell stack` writes it."""
    shape = (stack.planes.channels, *stack.size)
    mean = stack.sums.mean_rows
    return fits.Banded(shape, np.dtype(np.float32), lambda c, y0, y1: mean(c, 1, y0, y1, stack.scratch))


def _frame(lights: LightSet, number: int, room: Float32 | None = None) -> Frame:
    """Sub `number` of an endless night: the files come round again under new numbers."""
    frame = lights.frame((number - 1) % len(lights.files) + 1, room)
    return Frame(replace(frame.facts, number=number), frame.pixels)


def align(folder: Path) -> dict[str, Any]:
    """Find stars, match, warp (cubic, as live): CPU s per sub, corner errors px."""
    cpu, errors, reference = [], [], None
    for number, sub in calibrated_subs(folder, "mono", ALIGNED + 1):
        planes, size = Planes.of(sub.facts), sub.facts.size
        if reference is None:
            reference = measure(sub.pixels, planes, saturation_adu=sub.saturation_adu).stars.xy
            continue
        started = time.process_time()
        stars = measure(sub.pixels, planes, saturation_adu=sub.saturation_adu).stars
        found = match(stars.xy, reference, size=size)
        assert isinstance(found, Alignment)
        warped, scratch = np.empty(size, np.float32), Scratch()
        warp = Warp(found.transform, planes, size, size, Kernel.CUBIC)
        rows = warp.tallest(band_rows(size[1]))
        for y in range(0, size[0], rows):
            end = min(y + rows, size[0])
            warped[y:end] = warp.band(sub.pixels, 0, y, end, scratch)
        cpu.append(time.process_time() - started)
        errors.append(corner_error_px("mono", number, found.transform))
    return {"cpu_s": median(cpu), "error_px": median(errors)}


def combine(folder: Path, subs: int) -> dict[str, Any]:
    """Two passes over aligned subs with everything a stack does to them, files read twice, over and over."""
    paths = frames.lights(folder, "still")
    facts = open_frame(paths[0]).facts
    calibrator, planes = Calibrator(Masters(), facts), Planes.of(facts)
    out = np.empty(facts.size, np.float32)

    def sub(number: int) -> Calibrated:
        return calibrator.calibrate(open_frame(paths[number % len(paths)], out), out)

    model = frames.NIGHTS["still"].plan.chip.model
    stack = RunningStack(facts.size, planes, model, threads=1)
    scale = Normalisation(1.0, ((0.0, 0.0, 0.0),))
    entries = [Entry(number, Transform(), scale, (1.0,)) for number in range(subs)]
    first = first_pass({entry.number: entry.transform for entry in entries}, facts.size, Method().group)
    start(stack, [entries[number] for number in first[:RING]], sub, out)
    for number in first[RING:]:
        stack.add(sub(number), entries[number])
    masked = [added.masked_fraction for added in second_pass(stack, entries, sub)]
    stack.mean()
    return {
        "cpu_s": time.process_time(),
        "stacked": stack.stacked,
        "masked": float(np.mean(masked)),
        "peak_mb": memory_mb("VmHWM"),
    }


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("what", choices=("running", "align", "combine"))
    parser.add_argument("--night", choices=frames.NIGHTS, default="mono")
    parser.add_argument("--subs", type=int, default=20)
    parser.add_argument("--undo", action="store_true")
    parser.add_argument("--folder", type=Path, default=frames.WORK)
    asked = parser.parse_args()
    if asked.what == "running":
        print(json.dumps(running(asked.folder, asked.night, asked.subs, undo=asked.undo)))
    else:
        made = align(asked.folder) if asked.what == "align" else combine(asked.folder, asked.subs)
        print(json.dumps(made))
    gc.freeze()  # as `starwell` does at its end
