"""Which files of a folder are complete, found by looking again and again.

Looking works on every file system; notifications stay silent on network shares, so that looking would be
needed beside them anyway. A file is complete when size and time stood still between two looks and, where the
kernel can tell, nobody has it open for writing any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from starwell.errors import StorageError
from starwell.files.frames import FRAME_SUFFIXES, REFUSED_SUFFIXES, natural

_TRIES = 4
_LOOKED_FOR = (*FRAME_SUFFIXES, *REFUSED_SUFFIXES)


class Key(NamedTuple):
    """What makes a file this file: a rewritten or replaced one has another key."""

    path: Path
    inode: int
    size: int


@dataclass(slots=True)
class _Seen:
    """One file since it was last changed; rest: looks to pass before the next try."""

    time_ns: int
    tries: int = 0
    rest: int = 0
    read: bool = False


class Arrivals:
    """The files below a folder, each offered once; dot-files and dot-folders are passed by."""

    def __init__(self, folder: Path, passed_by: Collection[Path] = ()) -> None:
        self.folder = folder
        self._passed_by = {path.resolve() for path in passed_by}
        self._seen: dict[Key, _Seen] = {}
        self._read: set[tuple[int, int, int]] = set()

    def look(self) -> list[Key]:
        """The files that turn out to be complete now, oldest first; StorageError when the folder is gone."""
        ready: list[tuple[int, Key]] = []
        now: dict[Key, _Seen] = {}
        for key, time_ns in self._files():
            seen = self._seen.get(key)
            if seen is None or (seen.time_ns != time_ns and not seen.read):
                moved = (key.inode, key.size, time_ns) in self._read
                seen = _Seen(time_ns, read=moved)
            elif self._is_ripe(seen) and key.size > 0 and not open_for_writing(key.path):
                ready.append((time_ns, key))
            now[key] = seen
        # What was read stays known although it is gone: a share that comes back is old news.
        self._seen = {key: seen for key, seen in self._seen.items() if seen.read} | now
        return [key for _, key in sorted(ready, key=lambda entry: (entry[0], natural(entry[1].path)))]

    def done(self, key: Key) -> None:
        """This file was read: it is not offered again, moved or not."""
        seen = self._seen[key]
        seen.read = True
        self._read.add((key.inode, key.size, seen.time_ns))

    def failed(self, key: Key) -> bool:
        """This file could not be read, and is offered later; whether this was the last try of it as it is."""
        seen = self._seen[key]
        seen.tries += 1
        seen.rest = 1 << seen.tries
        return seen.tries >= _TRIES

    def _is_ripe(self, seen: _Seen) -> bool:
        if seen.read or seen.tries >= _TRIES:
            return False
        seen.rest -= 1
        return seen.rest <= 0

    def _files(self) -> Iterator[tuple[Key, int]]:
        folders = [self.folder]
        while folders:
            folder = folders.pop()
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                if folder == self.folder:
                    raise StorageError(f"{folder} cannot be read: {error.strerror or error}.") from error
                continue  # a subfolder that has just been removed
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if Path(entry.path).resolve() not in self._passed_by:
                        folders.append(Path(entry.path))
                elif entry.name.lower().endswith(_LOOKED_FOR):
                    yield from _stat(entry)


def _stat(entry: os.DirEntry[str]) -> Iterator[tuple[Key, int]]:
    try:
        status = entry.stat()
    except OSError:
        return  # renamed away between listing and looking
    yield Key(Path(entry.path), status.st_ino, status.st_size), status.st_mtime_ns


def open_for_writing(path: Path) -> bool:
    """Whether some program here still has the file open for writing; False where the kernel cannot tell.

    Asked through a read lease, which Linux grants on local files that nobody writes to.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Whoever opens the file in this instant would have the kernel send SIGIO, which kills: let it be
        # a signal that nobody minds.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
