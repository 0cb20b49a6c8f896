"""What the machines of a cluster are given to do: functions of their arguments and of files all can read.

A task that is lost with its machine is done again on another one, with the same outcome.
"""

from __future__ import annotations

import copyreg
import hashlib
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
import scipy
import sep
from numpy.typing import NDArray

from starwell import __version__
from starwell.errors import StorageError
from starwell.measure.gain import SensorFindings
from starwell.session.build import Builder, Method
from starwell.session.intake import Intake, Prepared, Reader, Unfit
from starwell.session.members import Member, Members
from starwell.session.registration import Candidate, Registration, Unmatched, register
from starwell.session.work import at_once
from starwell.stack.fixed import Fixed
from starwell.stack.running import Added

_HASHED = 1 << 20


def _read_only(keywords: dict[str, Any]) -> MappingProxyType[str, Any]:
    return MappingProxyType(keywords)


# Keywords of a file are handed around as read-only views, which pickle does not know.
copyreg.pickle(MappingProxyType, lambda view: (_read_only, (dict(view),)))


class Fingerprint(NamedTuple):
    """A file as one machine sees it; digest is empty where nothing but its being there is asked."""

    path: Path
    size: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Length and first megabyte of a file; OSError where it cannot be read."""
        with path.open("rb") as stream:
            return cls(path, path.stat().st_size, hashlib.sha256(stream.read(_HASHED)).hexdigest())


class Seen(NamedTuple):
    """What a worker says of itself: its machine, its programs, files it cannot see, or sees as others."""

    host: str
    versions: dict[str, str]
    missing: list[Path]
    other: list[Path]


def versions() -> dict[str, str]:
    """Those of the programs whose figures must agree to the last bit."""
    return {
        "starwell": __version__,
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "processor": platform.machine(),
        "numpy": np.__version__,
        "OpenCV": cv2.__version__,
        "scipy": scipy.__version__,
        "sep": sep.__version__,
    }


def look(files: Sequence[Fingerprint]) -> Seen:
    """Look for these files."""
    missing, other = [], []
    for asked in files:
        try:
            found = Fingerprint.of(asked.path)
        except OSError:
            missing.append(asked.path)
        else:
            if found != asked:
                other.append(asked.path)
    return Seen(socket.gethostname(), versions(), missing, other)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """What every worker keeps: masters, where the subs are, how they are combined.

    sharing: how many tasks run at a time on the machine of this name, which share its cores.
    """

    intake: Intake
    read: Reader
    method: Method
    sharing: Mapping[str, int]

    @property
    def threads(self) -> int:
        """Of a task on this machine."""
        return self.method.threads or max(
            1, (os.cpu_count() or 1) // self.sharing.get(socket.gethostname(), 1)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """What the second pass needs of the first one; fixed is None without rejection."""

    reference: Candidate
    findings: SensorFindings | None
    fixed: Fixed | None


class Part(NamedTuple):
    """The sums of some subs, and what became of each, without the masks."""

    sums: dict[str, NDArray[Any]]
    added: list[Added]


def measured(site: Site, numbers: Sequence[int]) -> list[Prepared | Unfit | StorageError]:
    """Read, calibrate and measure these subs; their pixels stay here."""
    subs = site.intake.apart().prepared(numbers, site.read, count=at_once(site.threads))
    return [_small(sub) for sub in subs]


def _small(sub: Prepared | Unfit | StorageError) -> Prepared | Unfit | StorageError:
    if isinstance(sub, Prepared):
        return sub.without_pixels()
    return StorageError(str(sub)) if isinstance(sub, StorageError) else sub


def placed(reference: Candidate, candidates: Sequence[Candidate]) -> list[Registration | Unmatched]:
    """The place of each on the reference."""
    return [register(candidate, reference) for candidate in candidates]


def combined(site: Site, begun: Begun, members: dict[int, Member]) -> Part:
    """The sums of these subs, judged by the first pass."""
    intake = site.intake.apart(begun.findings)
    method = replace(site.method, threads=site.threads)
    builder = Builder(intake, site.read, Members(members), method)
    stack = builder.empty_stack(begun.reference)
    if begun.fixed is not None:
        stack.judge_by(begun.fixed)
    with builder.reading_ahead(members, site.read):
        added = [stack.add(builder.calibrated(e.number), e) for e in builder.entries(list(members))]
    bare = [replace(one, entry=replace(one.entry, masks=())) for one in added]
    return Part(stack.sums.arrays(), bare)
