"""What the stack itself costs, without files and measuring: warm-up, add, undo, and the exact stack's adds.

python bench/adding.py [--night mono] [--kernel cubic] [--subs 12] [--threads N] [--turn DEG] [--times 3]

Subs are calibrated, measured and placed beforehand and held in memory. Prints JSON: wall and CPU ms of the
warm-up with seven subs, medians and minima per further sub, and a digest of the sums. Two versions are
compared by running it alternately, with PYTHONPATH at each one's core/.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import frames
from calibrated import calibrated_subs
from starwell.align.transform import Transform
from starwell.calibration.calibrate import Calibrated
from starwell.frame import Planes
from starwell.measure.sub import measure
from starwell.session.registration import Candidate, Unmatched, register
from starwell.stack.exact import second_pass
from starwell.stack.kernels import Kernel
from starwell.stack.ledger import Entry
from starwell.stack.ring import RING
from starwell.stack.running import RunningStack
from starwell.stack.warmup import start


@dataclass
class Timed:
    """Wall and CPU ms of calls."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def __call__(self, call: Callable[[], Any]) -> Any:
        """Call and note what it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        told = call()
        self.wall.append(1e3 * (time.perf_counter() - wall))
        self.cpu.append(1e3 * (time.process_time() - cpu))
        return told

    def told(self) -> dict[str, float]:
        """Medians and minima."""
        return {
            f"{name}_{which}_ms": round(of(values), 1)
            for name, values in (("wall", self.wall), ("cpu", self.cpu))
            for which, of in (("min", min), ("median", median))
        }


def placed_subs(
    folder: Path, night: str, count: int, turn: float
) -> tuple[dict[int, Calibrated], list[Entry]]:
    """Calibrated subs and their ledger entries; turn: further degrees between one sub and the next."""
    subs, entries, reference = {}, [], None
    for number, sub in calibrated_subs(folder, night, count):
        measured = measure(sub.pixels, Planes.of(sub.facts), saturation_adu=sub.saturation_adu)
        candidate = Candidate(number, sub.facts, measured)
        reference = reference or candidate
        place = register(candidate, reference)
        if isinstance(place, Unmatched):
            raise SystemExit(f"sub {number}: {place.detail}")
        height, width = sub.facts.size
        more = Transform.similarity(turn * number)
        rest = Transform(tx=width / 2, ty=height / 2) @ more @ Transform(tx=-width / 2, ty=-height / 2)
        entries.append(Entry(number, rest @ place.transform, place.normalisation, place.weight))
        subs[number] = sub
    return subs, entries


def measured_stack(asked: argparse.Namespace) -> dict[str, Any]:
    """Every part of a stack's life, `times` over."""
    frames.make(asked.folder, [asked.night])
    subs, entries = placed_subs(asked.folder, asked.night, asked.subs, asked.turn)
    plan = frames.NIGHTS[asked.night].plan
    warm_up, add, undo, exactly = (Timed() for _ in range(4))
    told: dict[str, Any] = {}
    for _ in range(asked.times):
        stack = RunningStack(
            plan.size,
            Planes.of(subs[0].facts),
            plan.chip.model,
            kernel=Kernel(asked.kernel),
            threads=asked.threads,
        )
        added = warm_up(partial(start, stack, entries[:RING], subs.__getitem__))
        added += [add(partial(stack.add, subs[entry.number], entry)) for entry in entries[RING:]]
        last = added[-1].entry
        gone = undo(partial(stack.remove, subs[last.number], last))
        stack.restore(subs[last.number], gone)
        told["masked_ppm"] = [round(1e6 * a.masked_fraction, 1) for a in added]
        told["trails"] = [len(a.trails) for a in added]
        told["digest"] = zlib.crc32(stack.sums.sum.tobytes())
        again = second_pass(stack, entries, subs.__getitem__)
        for _ in entries:
            exactly(partial(next, again))
        told["noise"] = {block: round(one.sigma, 4) for block, one in stack.sums.noise(0).items()}
        del stack, again  # or the next one's memory were new to the system
    timed = {"warm_up": warm_up, "add": add, "remove": undo, "exact_add": exactly}
    return {name: t.told() for name, t in timed.items()} | told


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("--night", choices=frames.NIGHTS, default="mono")
    parser.add_argument("--kernel", choices=[str(k) for k in Kernel], default=str(Kernel.CUBIC))
    parser.add_argument("--subs", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--turn", type=float, default=0.0)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=frames.WORK)
    print(json.dumps(measured_stack(parser.parse_args())))
