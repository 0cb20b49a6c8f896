"""What a program costs: wall time, CPU time of it and its children, peak resident memory."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOOK_S, _LOOK_CLOSER_S = 0.1, 1.0
"""How often it is asked what a program holds, and how much of it is its own, which costs it milliseconds."""


class Failed(RuntimeError):
    """A program ended with an error, or did not do what it was asked."""


@dataclass(frozen=True)
class Cost:
    """One run: seconds, MB, and what the program said.

    peak_mb: the most the program held, and the most that its child processes held for themselves alone.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, errors: bool = True) -> Cost:
    """Run a program to its end; with errors, `said` holds stderr too. Raises Failed unless it ends with 0.

    Linux counts the caller's own peak memory into a child's until it has started: keep the caller small.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if errors else None,
            env={**os.environ, **(env or {})},
        )
        status, usage, beside_mb = _watched(program.pid)
        wall_s = time.perf_counter() - started
        program.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if program.returncode:
        raise Failed(f"{Path(command[0]).name} ended with {program.returncode}:\n{said[-2000:]}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6 + beside_mb, said)


def _watched(pid: int) -> tuple[int, Any, float]:
    """Status and usage of a program when it has ended, and the most MB its children had for themselves."""
    beside = Beside(pid)
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage, beside.peak_mb
        beside.look()
        time.sleep(_LOOK_S)


class Beside:
    """The most memory that the children of a process have had for themselves alone, MB.

    How much of a child's memory is still its parent's as well is looked up now and then only.
    """

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._pid = pid
        self._looked = -math.inf
        self._parents_mb: dict[int, float] = {}

    def look(self) -> None:
        """Ask how much it is now."""
        now = time.monotonic()
        closer, held = now - self._looked > _LOOK_CLOSER_S, 0.0
        for child in children(self._pid):
            mine = anonymous_mb(child)
            if closer or child not in self._parents_mb:
                self._looked = now
                self._parents_mb[child] = mine - private_mb(child)
            held += max(mine - self._parents_mb[child], 0.0)
        self.peak_mb = max(self.peak_mb, held)


def anonymous_mb(pid: int) -> float:
    """Memory that is neither a file's nor shared by intent; 0 when there is no such process any more."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def private_mb(pid: int) -> float:
    """Memory that no other process shares or could share, MB; 0 when there is no such process any more."""
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except OSError:
        return 0.0
    kb, shared = 0, False
    for line in lines:
        name, *rest = line.split()
        if not name.endswith(":"):
            shared = rest[0].endswith("s")
        elif name.startswith("Private_") and not shared:
            kb += int(rest[0])
    return kb * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
