"""What one sub costs at a size and a number of stars, after the warm-up, on one thread; prints JSON.

python bench/growth.py --megapixels 2|16|26|62 [--stars N] [--subs N]

Frames are simple (noise, stars, a drift) and held in memory: no files, for only their size matters here.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

from memory import SENSORS
from starwell.calibration.calibrate import Calibrator
from starwell.session.build import Method
from starwell.session.events import SubStacked
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline
from starwell.session.trial_frames import TrialFrames

WARM_UP = 8
"""The stack is begun with the seventh, and surveyed with the next."""


def cost(megapixels: int, stars: int, subs: int) -> dict[str, float]:
    """Median and least CPU ms of a sub, and how many were stacked."""
    frames = TrialFrames(SENSORS[megapixels], stars=stars)
    masters = frames.masters()
    first = {number: frames.light(number) for number in range(1, WARM_UP + 1)}
    pipeline = Pipeline(
        Intake(Calibrator(masters, frames.facts), masters), first.__getitem__, Method(threads=1)
    )
    del masters
    spent, stacked = [], 0
    for number in range(1, WARM_UP + subs + 1):
        frame = first.get(number) or frames.light(number)
        cpu = time.process_time()
        events = list(pipeline.feed(frame, more=True))
        spent.append(1e3 * (time.process_time() - cpu))
        stacked += sum(isinstance(event, SubStacked) for event in events)
    pipeline.close()
    steady = spent[WARM_UP:]
    return {"median_ms": median(steady), "least_ms": min(steady), "stacked": stacked}


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("--megapixels", type=int, choices=SENSORS, default=16)
    parser.add_argument("--stars", type=int, default=600)
    parser.add_argument("--subs", type=int, default=7)
    parser.add_argument("--folder", help="not used: every script of this folder takes one")
    asked = parser.parse_args()
    print(json.dumps(cost(asked.megapixels, asked.stars, asked.subs)))
