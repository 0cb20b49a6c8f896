"""Memory that is done with leaves the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_CHURN = """
import numpy as np
from pathlib import Path
from starwell.heap import keep_heap_small

def held_kb():
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

if {told}:
    keep_heap_small()
for _ in range(3):
    np.ones(12 << 20, np.uint8)
before = held_kb()
arrays = [np.ones(12 << 20, np.uint8) for _ in range(2)]
del arrays[0], arrays
print(held_kb() - before, before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory this way")
def test_large_arrays_leave_the_process_when_they_are_done_with() -> None:
    held = {}
    for told in (False, True):
        said = subprocess.run(
            [sys.executable, "-c", _CHURN.format(told=told)], capture_output=True, text=True, check=True
        )
        grown, held[told] = map(int, said.stdout.split())
        assert not told or grown < 4 << 10
    # What the C library keeps when it was told nothing differs from system to system.
    assert held[True] < held[False] + (1 << 10)
