"""A running stack on disk, to go on from: arrays as they are, and the pipeline's memory beside them.

A checkpoint only saves time: the subs themselves are the truth, and a checkpoint that is missing, torn or of
another version is passed by. It is written to a new folder, which then becomes the current one by a rename.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell import __version__
from starwell.errors import FileDamaged
from starwell.files.atomic import writing
from starwell.session.pipeline import Pipeline, PipelineState

_STATE = "state"
_FORMAT = (1, __version__)
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
"""What may be called beside starwell's own classes: a checkpoint from elsewhere must not run code."""


def save(folder: Path, pipeline: Pipeline) -> None:
    """Write the pipeline's stack and memory; the previous checkpoint stays until this one is whole.

    Raises DiskFull or StorageError, and then leaves the previous one in place.
    """
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    with writing(folder):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            arrays = pipeline.stack.state() if pipeline.stack is not None else {}
            for name, array in arrays.items():
                _write(fresh / f"{name}.npy", array)
            _write_bytes(fresh / _STATE, _pickled((_FORMAT, tuple(arrays), pipeline.state())))
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, pipeline: Pipeline) -> bool:
    """Take up the checkpoint; False where there is none that can be used: feed all subs again then."""
    for place in (folder, folder.with_name(f".{folder.name}.old")):
        read = _read(place)
        if read is not None:
            state, arrays = read
            try:
                pipeline.resume(state, arrays)
            except FileDamaged:
                continue
            return True
    return False


def _read(folder: Path) -> tuple[PipelineState, Mapping[str, NDArray[Any]] | None] | None:
    try:
        written, names, state = _Reader(io.BytesIO((folder / _STATE).read_bytes())).load()
        if written != _FORMAT or not isinstance(state, PipelineState):
            return None
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names}
    except (OSError, EOFError, ValueError, TypeError, AttributeError, ImportError, pickle.UnpicklingError):
        return None
    return state, arrays or None


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
    def find_class(self, module: str, name: str) -> Any:
        if name in _TRUSTED.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("starwell."):
            found = super().find_class(module, name)
            if isinstance(found, type) or found is _header:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint")
