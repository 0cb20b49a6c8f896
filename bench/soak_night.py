"""Soak: nights of accelerated subs through a whole engine, with random faults of camera, user and sky.

    python bench/soak_night.py [--nights 2] [--subs 500] [--size 200x256] [--seed 1]

Every sub that the camera delivered must be on disk, in the journal and in exactly one verdict; every night
must end with SeriesFinished and with nothing half-written; memory and time per sub must stay flat.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from starwell.camera.plan import Cloud, Mount, Scene, Shake, SkyPlan, Trail, Weather
from starwell.camera.protocol import Camera
from starwell.camera.simulated import Fault, SimulatedCamera
from starwell.files.frames import open_frame
from starwell.frame import Kind
from starwell.session.engine import Engine
from starwell.session.events import CameraFault, ExposureStarted, SeriesFinished, SubRejected, SubStacked
from starwell.session.face import Abort, Pause, Reject, Restore, Save, Set, Start
from starwell.session.journal import FrameSaved, read
from starwell.session.night_files import Night
from starwell.session.plan import Cooling, MasterPaths, Plan, Series, Target
from starwell.session.setup import Setup
from starwell.session.wishes import Task

FAULTS = (Fault.FAIL, Fault.HANG, Fault.DROP, Fault.CORRUPT, Fault.ABORT)
SPEED = 2000.0


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def sky(subs: int, size: tuple[int, int], draw: random.Random) -> SkyPlan:
    some = sorted(draw.sample(range(20, subs), subs // 10))
    return SkyPlan(
        size=size,
        subs=subs,
        seconds=20.0,
        scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
        mount=Mount(drift_px=(0.01, 0.01), dither_px=6.0, shakes=(Shake(tuple(some[::3]), 9.0),)),
        weather=Weather(clouds=(Cloud(tuple(some[1::3]), 0.4, 1.8),)),
        trails=tuple(Trail(n, peak_sigma=12.0) for n in some[2::3]),
    )


class Flaky(SimulatedCamera):
    """Unplugged now and then, and plugged in again a little later."""

    def __init__(self, *rest: object, **options: object) -> None:
        super().__init__(*rest, **options)  # type: ignore[arg-type]
        self.delivered = 0

    def expose(self, *asked: object) -> object:  # type: ignore[override]
        try:
            frame = super().expose(*asked)  # type: ignore[arg-type]
        except Exception:
            if not self._plugged_in:
                threading.Timer(0.03, self.plug_in).start()
            raise
        self.delivered += 1
        return frame


@dataclass
class Course:
    """What one night came to."""

    memory: list[float] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    verdicts: set[int] = field(default_factory=set)


def shoot(folder: Path, subs: int, size: tuple[int, int], seed: int) -> tuple[Course, bool]:
    draw = random.Random(seed)
    faults = {n: draw.choice(FAULTS) for n in range(3, 2 * subs) if draw.random() < 0.06}
    faults |= {n: Fault.UNPLUG for n in range(3, 2 * subs) if draw.random() < 0.005}
    camera = Flaky(sky(subs, size, draw), speed=SPEED, faults=faults)
    lights = Target(name="M51", series=(Series(exposure_s=20.0, count=subs),))
    plan = Plan(
        targets=(lights,),
        camera="simulated",
        masters=MasterPaths(bias="500"),
        cooling=Cooling(celsius=0, ramp_c_per_min=20),
    )

    def connect(_named: str, _passed_by: Path | None) -> Camera:
        return camera

    engine = Engine(Setup(connect=connect, state=folder / "state", data=folder), stay=False)
    heard, told = engine.subscribe(), Course()
    engine.start(Task(plan=plan, folder=folder / "night"))
    while not heard.closed:
        for event in heard.take(0.05):
            told.said[type(event).__name__] += 1
            match event:
                case SubStacked(number=number):
                    told.verdicts.add(number)
                    told.at.append(time.monotonic())
                    if len(told.at) % 25 == 0:
                        told.memory.append(resident_mib())
                case SubRejected(number=number):
                    told.verdicts.add(number)
                case SeriesFinished():
                    told.finished += 1
                case CameraFault(recovered=recovered):
                    told.said["recovered" if recovered else "away"] += 1
                case ExposureStarted(number=number) if draw.random() < 0.04:
                    meddle(engine, draw, number)
    engine.join()
    return told, sound(folder / "night", told, camera, subs, engine)


def meddle(engine: Engine, draw: random.Random, number: int) -> None:
    """The user cannot leave it alone."""
    said = draw.choice((Pause(), Abort(), Save(), Reject(draw.randint(1, number)), Set("dew_heater", 1.0)))
    engine.command(said)
    if isinstance(said, Pause | Abort):
        threading.Timer(0.02, lambda: engine.command(Start())).start()
    if isinstance(said, Reject):
        engine.command(Restore(said.number))


def sound(folder: Path, told: Course, camera: Flaky, subs: int, engine: Engine) -> bool:
    """Nothing lost, nothing half-written."""
    on_disk = Night(folder).frames(Kind.LIGHT)
    journal = [r.number for r in read(folder / "journal.jsonl") if isinstance(r, FrameSaved)]
    whole = all(open_frame(path).facts.shape == camera.plan.size for path in on_disk.values())
    numbers = list(range(1, subs + 1))
    tally = engine.status()
    checks = {
        "on disk": sorted(on_disk) == numbers,
        "every frame delivered is on disk": camera.delivered == subs,
        "journal": journal == numbers,
        "whole": whole,
        "one verdict each": told.verdicts == set(numbers),
        "tally": tally.stacked + tally.rejected == subs,
        "finished once": told.finished == 1,
        "nothing torn": not list(folder.rglob(".*")),
        "no failure": engine.failure is None,
    }
    print(f"  {tally.stacked} stacked, {tally.rejected} rejected; {dict(told.said)}")
    wrong = [name for name, right in checks.items() if not right]
    print(f"  {'sound' if not wrong else f'WRONG: {wrong}, {engine.failure}'}")
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nights", type=int, default=2)
    parser.add_argument("--subs", type=int, default=500)
    parser.add_argument("--size", default="200x256", help="height x width")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    height, width = (int(n) for n in args.size.split("x"))
    good = True
    for n in range(args.nights):
        folder = Path(tempfile.mkdtemp(prefix="starwell-soak-"))
        begun = time.monotonic()
        told, right = shoot(folder, args.subs, (height, width), args.seed + n)
        good &= right
        gaps = [1e3 * (b - a) for a, b in zip(told.at, told.at[1:], strict=False)]
        fifth = max(1, len(gaps) // 5)
        first, last = statistics.median(gaps[fifth : 2 * fifth]), statistics.median(gaps[-fifth:])
        memory = told.memory
        print(
            f"night {n + 1}: {args.subs} subs in {time.monotonic() - begun:.0f} s; "
            f"time per sub {first:.0f} -> {last:.0f} ms; "
            f"memory {memory[len(memory) // 5]:.0f} -> {memory[-1]:.0f} MiB"
        )
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
