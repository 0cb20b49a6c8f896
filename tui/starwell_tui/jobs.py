"""Commands that take long run as programs of their own: their lines, their end, and how to end them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

LINES_KEPT = 400
ANSWERS_WITHIN_S = 20.0
"""A short command that takes longer hangs: a camera's USB, say."""
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f]")


def command(words: Sequence[str]) -> list[str]:
    """`starwell WORDS…` as this very program."""
    return [sys.executable, "-m", "starwell_tui", *words]


class Job:
    """One command. lines: what it said so far, the last one as far as it is written; code: once it ended."""

    def __init__(self, title: str, words: Sequence[str]) -> None:
        self.title = title
        self.words = tuple(words)
        self.code: int | None = None
        self.cancelled = False
        self._kept: deque[str] = deque(maxlen=LINES_KEPT)
        self._last = b""
        self._group: int | None = None

    @property
    def lines(self) -> list[str]:
        """For people: no colours, no progress that was overwritten."""
        last = _plain(self._last)
        return [*self._kept, *([last] if last else [])]

    async def run(self, heard: Callable[[], None] = lambda: None) -> int:
        """Its exit code; `heard` is called with each piece of what it says. A cancelled call ends it."""
        process = await asyncio.create_subprocess_exec(
            *command(self.words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        self._group = process.pid
        try:
            while part := await process.stdout.read(1 << 14):
                self._take(part)
                heard()
            self.code = await process.wait()
        except asyncio.CancelledError:
            self.cancel()
            await process.wait()
            raise
        finally:
            self._group = None
        heard()
        return self.code

    def cancel(self) -> None:
        """End it, and whatever it started; what it was writing is not left behind half."""
        self.cancelled = True
        if self._group is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGINT)

    def _take(self, part: bytes) -> None:
        *whole, self._last = (self._last + part).split(b"\n")
        self._kept.extend(text for text in map(_plain, whole) if text)


async def asked(words: Sequence[str], told: str = "") -> tuple[int, str, str]:
    """A short command's exit code, stdout and stderr, given `told` on its stdin; ended where it hangs."""
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            command(words),
            input=told,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=os.environ,
            start_new_session=True,
            timeout=ANSWERS_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"`starwell {' '.join(words)}` did not answer within {ANSWERS_WITHIN_S:g} s."
    return done.returncode, done.stdout, done.stderr.strip()


def _plain(line: bytes) -> str:
    """What is left of a line that was written over, as progress is."""
    written = [part for part in line.split(b"\r") if part.strip()] or [b""]
    return _CONTROLS.sub("", written[-1].decode(errors="replace")).rstrip()
