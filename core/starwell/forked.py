"""Processes that begin with all that this one holds, for work that no interpreter lock is to slow.

Threads of Python hand one lock to and fro, which costs more than a second core gives. A forked process has
a lock of its own and needs nothing sent to it first. Arrays made by `shared` before it was forked are one
memory for both, and are not sent either.
"""

from __future__ import annotations

import gc
import io
import mmap
import os
import pickle
import signal
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from math import prod
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext
from multiprocessing.popen_fork import Popen as _Popen  # noqa: F401  now, not in the middle of a night
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Item = TypeVar("Item")
Made = TypeVar("Made")
Rooms = Sequence["weakref.ref[NDArray[Any]]"]

_THREADS = Path("/proc/self/task")

_rooms: list[weakref.ref[NDArray[Any]]] = []


def may_fork() -> bool:
    """Whether this program has but one thread: a lock that another held would stay locked in a copy.

    Only Linux tells, and not without its /proc.
    """
    try:
        return sys.platform.startswith("linux") and len([*_THREADS.iterdir()]) == 1
    except OSError:
        return False


def shared(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """An array of zeros that processes forked later share with this one; it takes no memory until used."""
    kind = np.dtype(dtype)
    memory = mmap.mmap(-1, max(1, prod(shape) * kind.itemsize))
    room: NDArray[Any] = np.frombuffer(memory, kind, prod(shape)).reshape(shape)
    _rooms[:] = [*(known for known in _rooms if known() is not None), weakref.ref(room)]
    return room


class Bag:
    """Numbers that processes forked later take from in turn, each number once."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)

    def fill(self, count: int) -> None:
        """Put in 0 … count - 1, at most 32,768 numbers; the bag was empty."""
        os.write(self._in, np.arange(count, dtype=np.uint16).tobytes())

    def __iter__(self) -> Iterator[int]:
        while True:
            try:
                number = os.read(self._out, 2)  # one whole number, whoever else reads
            except BlockingIOError:
                return
            yield int.from_bytes(number, sys.byteorder)

    def close(self) -> None:
        """Give it back."""
        os.close(self._out)
        os.close(self._in)


class Gone(Exception):
    """The process ended before it answered: the system took it, or someone ended it."""


class Forked(Generic[Item, Made]):
    """A process that does this work with what it is asked for; it ends with this program, or by `close`.

    Nothing that work changes is seen here but shared arrays.
    """

    def __init__(self, work: Callable[[Item], Made]) -> None:
        context = ForkContext()
        self._rooms = tuple(_rooms)
        self._here, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(work, self._rooms, there, self._here), daemon=True
        )
        self._process.start()
        self.pid: int = self._process.pid or 0
        there.close()

    def ask(self, item: Item) -> None:
        """Have this made, after all that was asked before."""
        try:
            self._here.send_bytes(_packed(item, self._rooms))
        except OSError:
            return  # the process is gone, as `answer` will say

    def answer(self) -> Made:
        """What was made of the next one, or the exception it raised; Gone when there will be no answer."""
        try:
            content = self._here.recv_bytes()
        except (EOFError, OSError) as end:
            raise Gone from end
        made, error = _unpacked(content, self._rooms)
        if error is not None:
            raise error
        answer: Made = made
        return answer

    def close(self) -> None:
        """End it, in the middle of its work if need be."""
        self._here.close()
        self._process.terminate()
        self._process.join()
        self._process.close()


def _serve(work: Callable[[Any], Any], rooms: Rooms, there: Connection, here: Connection) -> None:
    """What the process does until nobody asks any more, or is there to hear it."""
    here.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and is for the other one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # or looking for garbage would copy every page of the program
    while True:
        try:
            content = there.recv_bytes()
        except (EOFError, OSError):
            return
        answer: tuple[Any, Exception | None]
        try:
            answer = work(_unpacked(content, rooms)), None
        except Exception as error:  # noqa: BLE001  raised again by `answer`
            answer = None, error
        try:
            there.send_bytes(_packed(answer, rooms))
        except OSError:
            return


def _packed(content: object, rooms: Rooms) -> memoryview:
    file = io.BytesIO()
    _Packer(file, rooms).dump(content)
    return file.getbuffer()


def _unpacked(content: bytes, rooms: Rooms) -> Any:
    return _Unpacker(io.BytesIO(content), rooms).load()


class _Packer(pickle.Pickler):
    """Leaves arrays where they are that lie in memory which both see."""

    def __init__(self, file: io.BytesIO, rooms: Rooms) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._spans = [
            (number, _address(room), room.nbytes)
            for number, known in enumerate(rooms)
            if (room := known()) is not None
        ]

    def persistent_id(self, item: Any) -> tuple[int, int, tuple[int, ...], tuple[int, ...], str] | None:
        if not isinstance(item, np.ndarray) or not item.size:
            return None
        for number, start, size in self._spans:
            offset = _address(item) - start
            if 0 <= offset < size:
                return number, offset, item.shape, item.strides, item.dtype.str
        return None

    def reducer_override(self, item: Any) -> Any:
        return (_header, (dict(item),)) if isinstance(item, MappingProxyType) else NotImplemented


def _header(cards: dict[str, Any]) -> MappingProxyType[str, Any]:
    return MappingProxyType(cards)


class _Unpacker(pickle.Unpickler):
    """Finds them there. What it reads comes from this very program."""

    def __init__(self, file: io.BytesIO, rooms: Rooms) -> None:
        super().__init__(file)
        self._rooms = rooms

    def persistent_load(self, place: Any) -> Any:
        number, offset, shape, strides, dtype = place
        room = self._rooms[number]()
        if room is None:
            raise pickle.UnpicklingError("What was sent lies in memory that has been given back.")
        if (offset, shape, strides, dtype) == (0, room.shape, room.strides, room.dtype.str):
            return room
        return np.ndarray(shape, dtype, room.reshape(-1).view(np.uint8), offset, strides)


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
