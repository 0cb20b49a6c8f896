"""Where an engine is found: a lock that only one engine holds, and beside it the socket it answers at.

Both lie in the state folder, which outlasts a login: $XDG_RUNTIME_DIR is emptied when the last session ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import msgspec

from starwell.config import home
from starwell.errors import EngineError, EngineRefused, EngineRunning, NoEngine, StorageError

_LONGEST_ADDRESS = 107
"""Bytes of a socket's path that Linux takes."""

_PEER = struct.Struct("3i")
_ANSWERS_WITHIN_S = 1.0


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock: a process, and the folder of its night."""

    pid: int
    folder: str


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of the lock and the socket; `Place()` is where this user's engine runs."""

    folder: Path = field(default_factory=lambda: home().state)

    @property
    def lock_file(self) -> Path:
        """Held by the engine as long as it lives; says who that is."""
        return self.folder / "engine.lock"

    @property
    def socket_file(self) -> Path:
        """Where the engine answers."""
        return self.folder / "engine.sock"

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection to the running engine, whose user is ours; its calls wait no longer than timeout_s.

        Raises NoEngine when none answers, EngineRefused when it is another user's.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            with _address(self.socket_file) as address:
                connection.connect(address)
            self._check_owner(peer_uid(connection))
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise self._unanswered(error) from error
            raise
        return connection

    def _check_owner(self, uid: int) -> None:
        if uid != os.geteuid():
            raise EngineRefused(f"The engine at {self.socket_file} belongs to {_user(uid)}.")

    def _unanswered(self, error: OSError) -> EngineError:
        if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
            return NoEngine("No engine is running; `starwell run …` starts one.")
        if isinstance(error, PermissionError):
            return EngineRefused(f"The engine at {self.socket_file} belongs to another user.")
        return EngineError(f"The engine at {self.socket_file} does not answer: {error.strerror or error}.")

    def claim(self, night: Path | str) -> Claim:
        """The right to be the engine, for the night in this folder; until closed, or the process ends.

        Raises EngineRunning that names the engine which has it, StorageError when nothing can be kept here.
        """
        with _kept_in(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            claim = Claim(self, lock)
            claim.note(night)
        except BaseException as error:
            held_by = os.pread(lock, 1 << 16, 0)
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise EngineRunning(_refusal(held_by)) from error
            raise
        return claim


class Claim:
    """The lock, held; whoever holds it may listen at the socket. Closing it removes the socket.

    Children that are forked and never execute another program would go on holding it: spawn them.
    """

    def __init__(self, place: Place, lock: int) -> None:
        self.place = place
        self._lock: int | None = lock

    def note(self, night: Path | str) -> None:
        """Write down which folder the night is in, for whoever asks for a second engine."""
        assert self._lock is not None
        with _kept_in(self.place.folder):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, msgspec.json.encode(Holder(os.getpid(), str(night))), 0)

    def listen(self) -> socket.socket:
        """The engine's end of the socket, which only this user can reach; replaces one left by a dead engine.

        Raises EngineRunning when somebody answers there all the same.
        """
        self._clear()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The mode of the file-to-be: a umask would apply to every other thread's files too.
            os.fchmod(listening.fileno(), 0o600)
            with _kept_in(self.place.folder), _address(self.place.socket_file) as address:
                listening.bind(address)
            listening.listen(64)
        except BaseException:
            listening.close()
            raise
        return listening

    def _clear(self) -> None:
        path = self.place.socket_file
        with _kept_in(self.place.folder):
            try:
                is_socket = stat.S_ISSOCK(path.lstat().st_mode)
            except FileNotFoundError:
                return
            if not is_socket:
                raise StorageError(f"{path} is in the way of the engine's socket: move it away.")
            try:
                self.place.connect(_ANSWERS_WITHIN_S).close()
            except NoEngine:
                path.unlink(missing_ok=True)
            else:
                raise EngineRunning(f"Another engine answers at {path}: end it with `starwell stop`.")

    def close(self) -> None:
        """Let another engine run."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):  # A folder that vanished took the socket with it.
            self.place.socket_file.unlink()
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(credentials)[1])


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A socket's path, or a short name of the same place where the path is longer than a socket takes."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Translates the operating system's errors while lock and socket are made."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"The engine cannot keep its lock and socket in {folder}: {error.strerror or error}. "
            "Make the folder writable, or name another one in $STARWELL_HOME."
        ) from error


def _refusal(held_by: bytes) -> str:
    try:
        holder = msgspec.json.decode(held_by, type=Holder)
    except msgspec.DecodeError:
        return "Another engine is just starting or ending; `starwell status` shows whether it runs."
    return (
        f"An engine is running already: pid {holder.pid}, its night in {holder.folder}. "
        "`starwell status` shows it, `starwell stop` ends its series."
    )


def _user(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with uid {uid}"
