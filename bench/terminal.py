"""A program in a pseudo-terminal of a known size, its bytes counted and its words waited for."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]")
KEPT = 1 << 20


class Terminal:
    """A context: the program runs inside it, and is killed where it has not ended by then."""

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], *, columns: int = 120, rows: int = 40
    ) -> None:
        self.bytes = 0
        self._drawn = b""
        self._news = threading.Condition()
        self._master, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        plain = {
            name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")
        }
        self.process = subprocess.Popen(
            words,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**plain, "TERM": "xterm-256color", "LANG": "C.UTF-8", **env},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inside)
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def press(self, keys: str) -> None:
        """Send these keys; what was drawn so far is forgotten."""
        with self._news:
            self._drawn = b""
        os.write(self._master, keys.encode())

    def until(self, words: str, patience_s: float = 60.0) -> float:
        """Wait until these words are drawn; how long that took, s. TimeoutError says what was drawn."""
        begun = time.perf_counter()
        with self._news:
            while words not in (seen := CONTROL.sub(b"", self._drawn).decode(errors="replace")):
                left = begun + patience_s - time.perf_counter()
                if left <= 0 or self.process.poll() is not None:
                    raise TimeoutError(f"{words!r} never came: {seen[-400:]!r}")
                self._news.wait(min(left, 1.0))
        return time.perf_counter() - begun

    def rss_kb(self) -> int:
        """What the program has in memory."""
        with Path(f"/proc/{self.process.pid}/status").open(encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def cpu_s(self) -> float:
        """What the program has used of a processor, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 1 << 16)
            except OSError:
                return
            with self._news:
                self.bytes += len(piece)
                self._drawn = (self._drawn + piece)[-KEPT:]
                self._news.notify_all()
