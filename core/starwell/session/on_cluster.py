"""The walks of an exact stack on several machines: small tasks measure and place, larger ones sum groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from starwell.errors import ClusterError, StorageError
from starwell.session.build import Builder, Method
from starwell.session.cluster import Cluster
from starwell.session.cluster_tasks import (
    Begun,
    Fingerprint,
    Seen,
    Site,
    combined,
    look,
    measured,
    placed,
    versions,
)
from starwell.session.first_pass import groups
from starwell.session.intake import Intake, Prepared, Unfit
from starwell.session.registration import Candidate, Registration, Unmatched
from starwell.session.sets import LightSet
from starwell.session.work import weighs_much
from starwell.stack.ring import RING
from starwell.stack.running import Added, RunningStack

_MEASURED_AT_ONCE = 8
_PLACED_AT_ONCE = 64


class OnCluster:
    """Does the work of ThisMachine on a cluster's workers; the first pass is this machine's."""

    def __init__(self, cluster: Cluster, lights: LightSet, intake: Intake, method: Method) -> None:
        files = tuple(path.resolve() for path in lights.files)
        self._cluster = cluster
        self._numbers = lights.numbers
        self._lights = replace(lights, files=files, every=())
        self._method = method
        self._intake = intake
        self._site = Site(intake.apart(), self._lights.frame, method, check_workers(cluster, self._lights))

    def measured(self) -> Iterator[Prepared | Unfit | StorageError]:
        """A few subs per task."""
        return self._cluster.in_order(measured, groups(self._numbers, _MEASURED_AT_ONCE), self._site)

    def placed(
        self, candidates: Sequence[Candidate], reference: Candidate
    ) -> Sequence[Registration | Unmatched]:
        """Some more per task."""
        tasks = groups(candidates, _PLACED_AT_ONCE)
        return list(self._cluster.in_order(placed, tasks, reference))

    def combined(
        self, builder: Builder, reference: Candidate, first: Sequence[int], numbers: Sequence[int]
    ) -> Generator[Added, None, RunningStack]:
        """The first pass here; a task per group in the second, whose sums are added here."""
        fixed = None
        if self._method.reject:
            with builder.reading_ahead(first, self._lights.frame):
                stack = builder.begin(reference, first[:RING], first[RING:])
            fixed = stack.fix_reference(apart=True)
        else:
            stack = builder.empty_stack(reference)
        if weighs_much(builder.members, numbers):
            stack.sums.widen()
        begun = Begun(reference, self._intake.findings, fixed)
        tasks = [
            {n: replace(builder.members[n], entry=None) for n in group}
            for group in groups(numbers, self._method.group)
        ]
        for _, part in self._cluster.each(combined, tasks, self._site, begun):
            stack.sums.add(part.sums)
            stack.stacked += len(part.added)
            yield from part.added
        self._cluster.forget()
        return stack


def check_workers(cluster: Cluster, lights: LightSet) -> dict[str, int]:
    """How many tasks share each machine; ClusterError for workers that would stack something else."""
    firsts = {path.parent: path for path in reversed(lights.files)}
    there = [Fingerprint.of(path) for path in firsts.values()]
    places, mine = cluster.places, versions()
    sharing: Counter[str] = Counter()
    for worker, seen in cluster.ask_all(look, there).items():
        _check(worker, seen, mine)
        sharing[seen.host] += places.get(worker, 1)
    return dict(sharing)


def _check(worker: str, seen: Seen, mine: dict[str, str]) -> None:
    who = f"The worker {worker} on {seen.host}"
    if seen.missing:
        raise ClusterError(
            f"{who} cannot see {seen.missing[0]}. The lights must be on a disk that all machines "
            "share, under the same path."
        )
    if seen.other:
        raise ClusterError(
            f"{who} sees another file as {seen.other[0]}: its {seen.other[0].parent} is another."
        )
    differs = [f"{name} {theirs}" for name, theirs in seen.versions.items() if theirs != mine.get(name)]
    if differs:
        here = ", ".join(f"{name} {mine.get(name)}" for name in (d.rsplit(" ", 1)[0] for d in differs))
        raise ClusterError(
            f"{who} has {', '.join(differs)}, this machine {here}: results could differ. Install the same."
        )
