"""What a program costs: wall time, CPU time of it and its children, peak resident memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(RuntimeError):
    """A program ended with an error, or did not do what it was asked."""


@dataclass(frozen=True)
class Cost:
    """One run: seconds, MB of the largest process, and what the program said."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str


def _calm() -> None:
    """Have nothing of what ran before cost the next program.

    What was written is on the disk. A virtual machine hands memory that is free back to its host, for some
    seconds after a large program has ended: that is waited for. What is back there takes 1.4 s to touch for
    the first time, of 600 MB, in place of 0.03 s, so it is touched before.
    """
    os.sync()
    time.sleep(_HANDED_BACK_S)
    touch = f"import numpy; numpy.zeros({_TOUCHED}, numpy.uint8)[::4096] = 1"
    subprocess.run([sys.executable, "-c", touch], check=True)


_HANDED_BACK_S = 8
_TOUCHED = 1_600_000_000
"""Bytes: more than any of the programs takes."""


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, errors: bool = True) -> Cost:
    """Run a program to its end; with errors, `said` holds stderr too. Raises Failed unless it ends with 0.

    Linux counts the caller's own peak memory into a child's until it has started: keep the caller small.
    """
    _calm()
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if errors else None,
            env={**os.environ, **(env or {})},
        )
        _, status, usage = os.wait4(program.pid, 0)
        wall_s = time.perf_counter() - started
        program.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if program.returncode:
        raise Failed(f"{Path(command[0]).name} ended with {program.returncode}:\n{said[-2000:]}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, said)
