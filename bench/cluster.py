"""A stack on 1, 2 and 4 workers of this machine beside the cost model of docs/guide/cluster.md.

python bench/cluster.py [--subs 96] [--group 16] [--workers 1 2 4] [--wait 0.0] [--folder F]

First the subs are stacked by one thread of this program, which gives the model its seconds per sub; then by
workers of one thread each. --wait lets every read of a sub take so many seconds more, as from a slow disk or
network: that needs no processor, so that more workers than cores show what they would on machines of their
own. Every stack is held against the first, bit for bit. On a busy machine trust CPU seconds before wall time.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import distributed
import numpy as np
import psutil

import frames
from starwell.frame import Float32, Frame
from starwell.session.build import Builder, Method
from starwell.session.cluster import Cluster
from starwell.session.cluster_tasks import Begun, Site, combined, measured
from starwell.session.first_pass import groups
from starwell.session.intake import Intake
from starwell.session.on_cluster import OnCluster
from starwell.session.plan import MasterPaths
from starwell.session.sets import LightSet, light_sets
from starwell.session.stack_files import SetRun
from starwell.session.work import ThisMachine, Work
from starwell.stack.kernels import Kernel


class Spent(NamedTuple):
    """Seconds of the stages."""

    measure: float
    first: float
    second: float

    def __str__(self) -> str:
        return f"{sum(self):6.1f} = {self.measure:.1f} + {self.first:.1f} + {self.second:.1f}"


@dataclass(frozen=True, slots=True)
class Waiting(LightSet):
    """Lights that take longer to read."""

    wait_s: float = 0.0

    def frame(self, number: int, room: Float32 | None = None) -> Frame:
        time.sleep(self.wait_s)
        return LightSet.frame(self, number, room)


@dataclass
class Timed:
    """The same work, with the time each stage took."""

    work: Work
    marks: list[float] = field(default_factory=list)

    def measured(self) -> Iterator[Any]:
        self.marks.append(time.perf_counter())
        yield from self.work.measured()

    def placed(self, candidates: Sequence[Any], reference: Any) -> Sequence[Any]:
        return self.work.placed(candidates, reference)

    def combined(
        self, builder: Builder, reference: Any, first: Sequence[int], numbers: Sequence[int]
    ) -> Generator[Any, None, Any]:
        begin = builder.begin

        def marked(*how: Any) -> Any:
            stack = begin(*how)
            self.marks.append(time.perf_counter())
            return stack

        builder.begin = marked  # type: ignore[method-assign]
        self.marks.append(time.perf_counter())
        stack = yield from self.work.combined(builder, reference, first, numbers)
        self.marks.append(time.perf_counter())
        return stack

    @property
    def spent(self) -> Spent:
        a, b, c, d = self.marks
        return Spent(b - a, c - b, d - c)


def run(lights: LightSet, folder: Path, method: Method, cluster: Cluster | None) -> tuple[SetRun, Spent]:
    """One stack."""
    timed: list[Timed] = []

    def share(lights: LightSet, intake: Intake, method: Method) -> Work:
        work: Work = (
            ThisMachine(intake, lights.frame, lights.numbers, method)
            if cluster is None
            else OnCluster(cluster, lights, intake, method)
        )
        timed.append(Timed(work))
        return timed[0]

    masters = MasterPaths(dark=str(frames.dark(folder, "small")), flat=str(frames.flat(folder, "small")))
    job = SetRun(lights, masters, method, share=share)
    for _ in job.events():
        pass
    return job, timed[0].spent


def season(folder: Path, subs: int, wait_s: float, into: Path) -> LightSet:
    """So many subs; where there are fewer files some stand for several."""
    files = frames.lights(folder, "small")
    for i in range(subs):
        (into / f"light_{i:05d}.fits").symlink_to(files[i % len(files)].resolve())
    (found,), _ = light_sets([into])
    return Waiting(**{f.name: getattr(found, f.name) for f in fields(LightSet)}, wait_s=wait_s)


def sizes(job: SetRun, lights: LightSet, method: Method) -> None:
    """What is sent, in bytes."""
    here, px = job._run, np.prod(lights.facts.shape)
    site = Site(job.intake.apart(), lights.frame, method, {})
    numbers = list(lights.numbers)[:4]
    stack = here.stack
    reference = here.reference
    assert stack is not None
    assert reference is not None
    begun = Begun(reference, job.intake.findings, stack.fixed)
    part = combined(site, begun, {n: here.members[n] for n in numbers})

    def told(what: str, thing: Any, of: float, unit: str) -> None:
        print(f"| {what} | {len(pickle.dumps(thing, 5)) / of:.2f} {unit} |")

    print("| sent | bytes |\n|---|---|")
    told("masters and paths, once to every worker", site, px, "B/px")
    told("the fixed mean, once to every worker", begun, px, "B/px")
    told("sums of a group, from its worker", part.sums, px, "B/px")
    told("what became of a sub", part.added, len(numbers) * 1e3, "kB")
    told("a measured sub", measured(site, numbers), len(numbers) * 1e3, "kB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subs", type=int, default=96)
    parser.add_argument("--group", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--folder", type=Path, default=frames.WORK)
    asked = parser.parse_args()
    frames.make(asked.folder, ["small"])
    method = Method(Kernel.LANCZOS, threads=1, group=asked.group)
    with tempfile.TemporaryDirectory() as place:
        lights = season(asked.folder, asked.subs, asked.wait, Path(place))
        before = time.process_time()
        alone, base = run(lights, asked.folder, method, None)
        cpu = time.process_time() - before
        sizes(alone, lights, method)
        print(
            f"\n{asked.subs} subs, groups of {asked.group}, {asked.wait:g} s more to read, "
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        print(
            "\n| workers | measured: measure + first + second, s | model, s | CPU of the workers, s | bits |"
        )
        print("|---|---|---|---|---|")
        print(f"| none | {base} | – | {cpu:.1f} (all) | – |", flush=True)
        for workers in asked.workers:
            row(lights, asked.folder, method, workers, alone, base, waits=asked.wait > 0)


def row(
    lights: LightSet, folder: Path, method: Method, workers: int, alone: SetRun, base: Spent, *, waits: bool
) -> None:
    """The same on so many workers, beside the model."""
    rounds = len(groups(lights.numbers, method.group)) / workers
    at_once = workers if waits else min(workers, os.cpu_count() or 1)
    uneven = -(-rounds // 1) / rounds
    model = Spent(base.measure / at_once, base.first, base.second / at_once * (uneven if waits else 1))
    how = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**how) as local, Cluster(local.scheduler_address) as cluster:
        nannies = [psutil.Process(nanny.pid) for nanny in local.workers.values()]
        before = spent(nannies)
        job, took = run(lights, folder, method, cluster)
        cpu = spent(nannies) - before
    one, other = alone._run.stack, job._run.stack
    assert one is not None
    assert other is not None
    theirs = other.sums.arrays()
    same = all(np.array_equal(array, theirs[name]) for name, array in one.sums.arrays().items())
    print(f"| {workers} | {took} | {model} | {cpu:.1f} | {'the same' if same else 'DIFFERENT'} |", flush=True)


def spent(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


if __name__ == "__main__":
    sys.exit(main())
