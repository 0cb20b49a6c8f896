"""All running stacks of a night on disk, to go on from: arrays as they are, and the pipelines' memory.

A checkpoint only saves time: the subs themselves are the truth, and a checkpoint that is missing, torn, of
another version or made with other masters is passed by. It is written to a new folder, which then becomes
the current one by a rename; arrays that did not change since are linked, not written again.
"""

from __future__ import annotations

import dataclasses
import enum
import io
import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell import __version__
from starwell.calibration.isolated import IsolatedPixels
from starwell.errors import FileDamaged, MasterError, StorageError
from starwell.files.atomic import sync_folder, writing
from starwell.session.stacks import Stack, Stacks, StacksState
from starwell.stack.ring import Ring

_WEAR_BYTES_S = 1e6
"""What stacks may write on the whole night's average, beside the subs."""

_STATE = "state"
_FORMAT = (6, __version__)
_TRUSTED = {
    "numpy": {"ndarray", "dtype"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "datetime": {"datetime", "timezone", "timedelta"},
    "pathlib": {"PosixPath", "Path"},
    "pathlib._local": {"PosixPath"},
    "collections": {"deque", "OrderedDict"},
    "builtins": {"set", "frozenset"},
}
"""What may be called beside starwell's own values: a checkpoint from elsewhere must not run code."""

_PLAIN = (Ring, IsolatedPixels)
"""Classes of starwell's own that hold values and nothing else, though they are no dataclasses."""

_TORN = (OSError, EOFError, ValueError, TypeError, AttributeError, ImportError, LookupError, MemoryError)
"""What unpickling and np.load raise for bytes that are not theirs."""


@dataclass(frozen=True, slots=True)
class Position:
    """How much of a night is in the stacks: which subs, and how many of the journal's commands.

    restacks: how often they had been begun anew.
    """

    fed: frozenset[int] = frozenset()
    commands: int = 0
    restacks: int = 0

    def with_sub(self, number: int) -> Position:
        """This sub is in them too, or was seen to be unfit."""
        return dataclasses.replace(self, fed=self.fed | {number})

    def with_command(self) -> Position:
        """One more command was carried out."""
        return dataclasses.replace(self, commands=self.commands + 1)


def wear_s(stacks: Stacks) -> float:
    """How long to leave a disk alone that these stacks were written to: cards wear out by writing."""
    running = (stack.pipeline.stack for stack in stacks.all)
    return sum(a.nbytes for one in running if one is not None for a in one.state().values()) / _WEAR_BYTES_S


class Checkpoint:
    """The checkpoint of a night, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._old = folder.with_name(f".{folder.name}.old")
        self._fresh = folder.with_name(f".{folder.name}.new")
        self._written: dict[str, int] = {}

    def save(self, stacks: Stacks, position: Position) -> None:
        """Write the stacks; the previous checkpoint stays until this one is whole.

        Raises DiskFull or StorageError, and then leaves the previous one in place.
        """
        with writing(self.folder):
            shutil.rmtree(self._fresh, ignore_errors=True)
            self._fresh.mkdir()
            try:
                names = {stack.label: self._write_stack(stack) for stack in stacks.all}
                _write_bytes(self._fresh / _STATE, _pickled((_FORMAT, position, names, stacks.state())))
                sync_folder(self._fresh)
            except BaseException:
                shutil.rmtree(self._fresh, ignore_errors=True)
                raise
            self._replace()
        self._written = {stack.label: stack.changes for stack in stacks.all}

    def load(self, stacks: Stacks) -> Position | None:
        """Take up the checkpoint; None where there is none that can be used: feed all subs again then."""
        self._written = {}
        for place in (self.folder, self._old):
            try:
                position, names, state = _read(place / _STATE)

                def arrays_of(
                    label: str, place: Path = place, names: Mapping[str, tuple[str, ...]] = names
                ) -> Mapping[str, NDArray[Any]] | None:
                    return {n: _array(place / label / f"{n}.npy") for n in names[label]} or None

                stacks.resume(state, arrays_of)
            except (*_TORN, pickle.UnpicklingError, FileDamaged, MasterError, StorageError):
                continue
            return position
        return None

    def _write_stack(self, stack: Stack) -> tuple[str, ...]:
        """The arrays of one stack, into a folder of its name; their names."""
        arrays = stack.pipeline.stack.state() if stack.pipeline.stack is not None else {}
        folder = self._fresh / stack.label
        folder.mkdir()
        unchanged = self._written.get(stack.label) == stack.changes
        for name, array in arrays.items():
            path = folder / f"{name}.npy"
            if not (unchanged and _linked(self.folder / stack.label / path.name, path)):
                _write(path, array)
        sync_folder(folder)
        return tuple(arrays)

    def _replace(self) -> None:
        shutil.rmtree(self._old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(self._old)
        self._fresh.rename(self.folder)
        sync_folder(self.folder.parent)
        shutil.rmtree(self._old, ignore_errors=True)


def _read(path: Path) -> tuple[Position, Mapping[str, tuple[str, ...]], StacksState]:
    """FileDamaged for a checkpoint of another version."""
    written, position, names, state = _Reader(io.BytesIO(path.read_bytes())).load()
    if written != _FORMAT or not isinstance(state, StacksState) or not isinstance(position, Position):
        raise FileDamaged(f"{path} was written by another version of starwell.")
    return position, names, state


def _array(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def _linked(there: Path, here: Path) -> bool:
    """Whether the file could be had without writing it again: not every file system can."""
    try:
        os.link(there, here)
    except OSError:
        return False
    return True


def _write(path: Path, array: NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _write_bytes(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _pickled(content: object) -> bytes:
    target = io.BytesIO()
    _Writer(target, protocol=5).dump(content)
    return target.getvalue()


def _header(cards: dict[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(cards)


class _Writer(pickle.Pickler):
    def reducer_override(self, item: object) -> Any:
        return (_header, (dict(item),)) if isinstance(item, MappingProxyType) else NotImplemented


class _Reader(pickle.Unpickler):
    """Makes values and nothing else: no class of starwell that opens a file or starts a thread."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _TRUSTED.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("starwell."):
            found = super().find_class(module, name)
            if found is _header or _is_value(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint")


def _is_value(found: object) -> bool:
    if not isinstance(found, type) or not found.__module__.startswith("starwell."):
        return False
    return dataclasses.is_dataclass(found) or issubclass(found, enum.Enum | tuple) or found in _PLAIN
