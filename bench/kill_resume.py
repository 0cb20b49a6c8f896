"""A simulated night whose process is killed again and again, beside the same night left alone.

Prints one line of JSON: the kills that struck, what they struck, and how far the stacks are apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from starwell import __version__
from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Masters, constant_bias
from starwell.camera.sky import Mount, Scene, Sky, SkyPlan, Trail
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Facts, Frame, Kind
from starwell.session.build import Method
from starwell.session.events import Event, PreviewReady
from starwell.session.intake import Intake
from starwell.session.journal import FrameSaved, Journal, Opened, RejectedByHand
from starwell.session.journal import read as read_journal
from starwell.session.night_files import Night
from starwell.session.pipeline import Pipeline
from starwell.session.saved_frames import SavedFrames, saved_record
from starwell.session.stacking import Stacking

REJECTED, ONCE_THERE = 5, 9
"""The user rejects this sub once so many are stacked."""


def plan(subs: int, size: tuple[int, int]) -> SkyPlan:
    return SkyPlan(
        size=size,
        subs=subs,
        seconds=20.0,
        scene=Scene(stars=70, faintest_e=3000.0, brightest_e=80_000.0),
        mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
        trails=(Trail(0, peak_sigma=15.0), Trail(9, peak_sigma=10.0, angle_deg=-50.0)),
    )


def draw(sky: Path, subs: int, size: tuple[int, int]) -> None:
    """The camera's frames, drawn once for both nights."""
    shot = Sky(plan(subs, size))
    sky.mkdir(parents=True)
    for number in range(1, subs + 1):
        frame = shot.light(number - 1)
        fits.write(sky / f"{number:04d}.fits", frame.pixels, keywords_of(frame.facts))


def night(folder: Path, sky: Path, pace_s: float) -> None:
    """What an engine does: take up the night, then expose, save, note and stack until all subs are taken."""
    print("begun", flush=True)
    where = Night(folder)
    where.prepare()
    with Journal(folder / "journal.jsonl") as journal:
        journal.append(Opened(version=__version__))
        frames, masters = SavedFrames(where, journal), Masters(bias=constant_bias(500))

        def make(facts: Facts) -> Pipeline:
            return Pipeline(Intake(Calibrator(masters, facts), masters), frames, Method(threads=2))

        stacking = Stacking(where, journal, make, _told, checkpoint_every_s=0.3, save_every_s=0.5)
        stacking.resume()
        stacking.start()
        subs = len(list(sky.glob("*.fits")))
        for number in range(where.taken()[Kind.LIGHT] + 1, subs + 1):
            if number == ONCE_THERE + 1 and not any(isinstance(r, RejectedByHand) for r in journal.records):
                stacking.drained()
                stacking.reject(REJECTED)
                stacking.drained()
            time.sleep(pace_s)
            stacking.put(number, _saved(where, journal, open_frame(sky / f"{number:04d}.fits"), number))
        stacking.close(finish=True)


def _saved(where: Night, journal: Journal, frame: Frame, number: int) -> Frame:
    path = where.path(frame.facts, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.write(path, frame.pixels, keywords_of(frame.facts))
    facts = replace(frame.facts, number=number, source=path)
    journal.append(saved_record(where, facts))
    return Frame(facts, frame.pixels)


def _told(event: Event) -> None:
    if not isinstance(event, PreviewReady):
        print(type(event).__name__, flush=True)


def killed_night(folder: Path, sky: Path, kills: int, seed: int, pace_s: float) -> list[str]:
    """Run until the night is over, killing the process at random; the last words of every one killed."""
    rng = np.random.default_rng(seed)
    last_words = []
    while True:
        child = subprocess.Popen(
            [sys.executable, __file__, "--night", str(folder), "--sky", str(sky), "--pace", str(pace_s)],
            stdout=subprocess.PIPE,
            text=True,
        )
        if len(last_words) >= kills:
            child.communicate()
            break
        assert child.stdout is not None
        said = child.stdout.readline().strip()  # it has begun to work
        try:
            said = child.communicate(timeout=float(rng.uniform(0.0, 1.0)))[0]
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            said += " " + child.communicate()[0]
            last_words.append(said.split()[-1])
            continue
        break
    if child.returncode:
        raise SystemExit(f"the night ended with {child.returncode}")
    return last_words


def compared(one: Path, other: Path) -> dict[str, Any]:
    """How far apart two nights' stacks are; and whether anything half-written is to be seen."""
    Night(other).prepare()
    found: dict[str, Any] = {"pixels": 0.0, "counts": 0, "stacks": 0}
    for path in sorted((one / "stacks").glob("*.fits")):
        there = other / "stacks" / path.name
        found["stacks"] += 1
        if path.name.endswith(".maps.fits"):
            counts = [fits_map(p, "COUNT") for p in (path, there)]
            found["counts"] += int(np.count_nonzero(counts[0] != counts[1]))
        else:
            a, b = (open_frame(p).pixels for p in (path, there))
            found["pixels"] = max(found["pixels"], float(np.max(np.abs(a - b) / np.maximum(np.abs(a), 1e-9))))
    lights = [r.number for r in read_journal(other / "journal.jsonl") if isinstance(r, FrameSaved)]
    found["subs"] = len(Night(other).frames(Kind.LIGHT))
    found["journal"] = lights == sorted(set(lights)) and len(lights) == found["subs"]
    found["torn"] = [p.name for p in other.rglob(".*")]
    return found


def fits_map(path: Path, name: str) -> Any:
    from astropy.io import fits as astropy_fits

    return astropy_fits.getdata(path, extname=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--night", type=Path, help="be the process that is killed")
    parser.add_argument("--sky", type=Path)
    parser.add_argument("--subs", type=int, default=40)
    parser.add_argument("--size", default="300x400", help="height x width")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pace", type=float, default=0.2, help="seconds between two subs")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.night is not None:
        night(args.night, args.sky, args.pace)
        return
    height, width = (int(n) for n in args.size.split("x"))
    room = Path(tempfile.mkdtemp(prefix="starwell-kill-"))
    try:
        draw(room / "sky", args.subs, (height, width))
        subprocess.run(
            [sys.executable, __file__, "--night", room / "whole", "--sky", room / "sky", "--pace", "0"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        struck = killed_night(room / "killed", room / "sky", args.kills, args.seed, args.pace)
        found = compared(room / "whole", room / "killed")
        print(json.dumps({**found, "kills": len(struck), "last_words": sorted(set(struck))}))
    finally:
        shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    main()
