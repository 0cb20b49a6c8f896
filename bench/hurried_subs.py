"""Subs that come ten times as fast as they can be stacked, beside the same subs unhurried: peak memory."""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Masters, constant_bias
from starwell.camera.sky import Sky, demo_plan
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Facts, Frame
from starwell.session.intake import Intake
from starwell.session.journal import Journal
from starwell.session.night_files import Night
from starwell.session.pipeline import Pipeline
from starwell.session.saved_frames import SavedFrames, saved_record
from starwell.session.stacking import Stacking

_DRAWN = 10


def draw(room: Path) -> None:
    """Ten different subs of 2 MP; they come again and again."""
    sky = Sky(demo_plan(subs=_DRAWN))
    for i in range(_DRAWN):
        frame = sky.light(i)
        fits.write(room / f"{i}.fits", frame.pixels, keywords_of(frame.facts))


def run(room: Path, subs: int, hurried: bool) -> None:
    """One night; prints its figures."""
    night = Night(room / ("hurried" if hurried else "unhurried"))
    night.prepare()
    with Journal(night.folder / "journal.jsonl") as journal:
        frames, masters = SavedFrames(night, journal), Masters(bias=constant_bias(500))

        def make(facts: Facts) -> Pipeline:
            return Pipeline(Intake(Calibrator(masters, facts), masters), frames)

        stacking = Stacking(night, journal, make, lambda _: None)
        stacking.start()
        begun, most = time.monotonic(), 0
        for number in range(1, subs + 1):
            source = open_frame(room / f"{number % _DRAWN}.fits")
            frame = Frame(replace(source.facts, number=number), source.pixels)
            journal.append(saved_record(night, frame.facts))
            stacking.put(number, frame)
            most = max(most, stacking.backlog)
            if not hurried:
                stacking.drained()
        fed = time.monotonic() - begun
        stacking.drained()
        took, tally = time.monotonic() - begun, stacking.tally
        stacking.close(finish=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "stacked": tally.stacked,
                "rejected": tally.rejected + tally.unreadable,
                "fed_s": round(fed, 1),
                "stacked_s": round(took, 1),
                "backlog": most,
                "peak_mb": round(peak),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subs", type=int, default=200)
    parser.add_argument("--room", type=Path)
    parser.add_argument("--hurried", action="store_true")
    args = parser.parse_args()
    if args.room is not None:
        run(args.room, args.subs, args.hurried)
        return
    room = Path(tempfile.mkdtemp(prefix="starwell-hurry-"))
    try:
        draw(room)
        for how in ([], ["--hurried"]):
            subprocess.run(
                [sys.executable, __file__, "--room", room, "--subs", str(args.subs), *how], check=True
            )
    finally:
        shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    main()
