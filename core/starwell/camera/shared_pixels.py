"""Frames crossing from a child process without being copied: three pieces of anonymous shared memory.

They have no names (memfd), so nothing can be left behind whatever becomes of either process. A piece grows
to the largest frame that lands in it. The parent lends its pixels out; when the last array that looks at
them is gone, the piece is free again. One is always kept for the next frame: who holds two gets a copy.
"""

from __future__ import annotations

import mmap
import os
import queue
import weakref
from collections import deque
from collections.abc import Sequence
from threading import Event
from typing import Any

import numpy as np

from starwell.errors import Aborted
from starwell.frame import Pixels

PIECES = 3
_MOST_LENT = PIECES - 1
_TURN_S = 0.05


class Lender:
    """The parent's side: hands out read-only pixels."""

    def __init__(self) -> None:
        self.descriptors = tuple(os.memfd_create(f"starwell-{piece}") for piece in range(PIECES))
        self._views: list[mmap.mmap | None] = [None] * PIECES
        self._lent: set[int] = set()
        self._returned: deque[int] = deque()  # finalizers run at any moment, in any thread: they only append

    def pixels(self, piece: int, shape: Sequence[int], dtype: str) -> Pixels:
        """The frame that landed in this piece; lent while another is free, else copied."""
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        view = self._views[piece]
        if view is None or len(view) < count * kind.itemsize:
            view = mmap.mmap(self.descriptors[piece], 0, prot=mmap.PROT_READ)
            self._views[piece] = view
        flat: Pixels = np.frombuffer(view, kind, count)
        if len(self._lent) >= _MOST_LENT:
            self._returned.append(piece)
            return flat.copy().reshape(shape)
        self._lent.add(piece)
        weakref.finalize(flat, self._returned.append, piece).atexit = False
        return flat.reshape(shape)

    def returned(self) -> list[int]:
        """The pieces that came back since last asked."""
        pieces = []
        while self._returned:
            pieces.append(self._returned.popleft())
        self._lent.difference_update(pieces)
        return pieces

    def close(self) -> None:
        """No more frames; arrays lent out stay good."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()
        self._views = []


class Landing:
    """The child's side: gives a camera arrays to read frames into. cancel ends the wait for a free piece."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self.cancel = Event()
        self._descriptors = descriptors
        self._maps: list[mmap.mmap | None] = [None] * len(descriptors)
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._piece: int | None = None
        for piece in range(len(descriptors)):
            self._free.put(piece)

    def __call__(self, shape: Sequence[int], dtype: Any) -> Pixels:
        """An array for the next frame; the same memory again until that frame is handed over."""
        while self._piece is None:
            try:
                self._piece = self._free.get(timeout=_TURN_S)
            except queue.Empty:
                if self.cancel.is_set():
                    raise Aborted("the frames were no longer wanted") from None
        count = int(np.prod(shape))
        room = self._room(self._piece, count * np.dtype(dtype).itemsize)
        return np.frombuffer(room, dtype, count).reshape(shape)

    def hand_over(self, pixels: Pixels) -> int:
        """The piece that holds these pixels, copied there unless they are there already."""
        landed = self(pixels.shape, pixels.dtype)
        if landed.ctypes.data != pixels.ctypes.data:
            landed[...] = pixels
        assert self._piece is not None
        piece, self._piece = self._piece, None
        return piece

    def give_back(self, pieces: Sequence[int]) -> None:
        """These are free again."""
        for piece in pieces:
            self._free.put(piece)

    def _room(self, piece: int, size: int) -> mmap.mmap:
        room = self._maps[piece]
        if room is None or len(room) < size:
            os.ftruncate(self._descriptors[piece], size)
            room = mmap.mmap(self._descriptors[piece], size)
            self._maps[piece] = room
        return room
