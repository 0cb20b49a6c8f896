"""Whole files or none: a dot-file beside the target, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from starwell.errors import DiskFull, StorageError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)
"""What network and FAT file systems answer when a folder is to be synced; the rename is done by then."""


@contextmanager
def replacing(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file that becomes path when the block ends well, and leaves nothing behind when it does not.

    Raises DiskFull without room, StorageError when path exists (unless overwrite) or cannot be written.
    """
    path = Path(path)
    if not overwrite and path.exists():
        raise StorageError(f"{path} exists already and is not replaced: choose another name, or --overwrite.")
    part = path.with_name(f".{path.name[:80]}.{os.getpid()}-{threading.get_ident()}.part")
    with writing(path):
        try:
            with part.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        sync_folder(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translates the operating system's errors while path is written."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM or error.errno is None:  # numpy gives no errno where a write falls short
            raise DiskFull(
                f"There is no room left to write {path}; nothing was written. Free some space and try again."
            ) from error
        if error.errno == errno.ENOENT and not path.parent.is_dir():
            raise StorageError(f"{path} cannot be written: there is no folder {path.parent}.") from error
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where its file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
