"""Large arrays that are done with go back to the system at once.

The C library keeps freed memory below 32 MB for later use, for every thread its own; a stack's short-lived
arrays then make a process tens of megabytes larger than what it holds. Only glibc does so and can be told.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8
_FREE_MB, _OWN_PAGES_MB = 16, 8


def keep_heap_small() -> None:
    """Give arrays above 8 MB pages of their own, and keep at most 16 MB of freed memory, in one heap.

    For all threads that begin later.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _OWN_PAGES_MB << 20)
        mallopt(_TRIM_THRESHOLD, _FREE_MB << 20)
        mallopt(_ARENAS, 1)


def give_back() -> None:
    """Hand all freed memory to the system, where work that took much of it is over."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of the C library, None where it is another one."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
