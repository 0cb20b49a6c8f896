"""An engine for a screen that finds none: a process of its own, which outlives the screen and the login."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from starwell.errors import EngineError, NoEngine, StorageError
from starwell.remote.place import Place

ANSWERS_WITHIN_S = 30.0
_LOOK_S = 0.1
_CONNECT_S = 1.0
_TAIL = 3
"""Lines of its log that are told when it fails."""


def answers(place: Place) -> bool:
    """Whether an engine runs; one that refuses us runs too."""
    try:
        place.connect(_CONNECT_S).close()
    except NoEngine:
        return False
    except EngineError:
        return True
    return True


def log_of(place: Place) -> Path:
    """Where a started engine's words go."""
    return place.folder / "engine.log"


def start(place: Place, patience_s: float = ANSWERS_WITHIN_S) -> int:
    """Start an engine and wait until it answers; its process. EngineError says why it does not."""
    log = log_of(place)
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = log.open("ab")
    except OSError as error:
        raise StorageError(f"The engine cannot keep its log {log}: {error.strerror or error}.") from error
    with words:
        begun = words.seek(0, 2)
        process = subprocess.Popen(
            [sys.executable, "-m", "starwell_tui", "engine"],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
            cwd=log.parent,
            env=os.environ,
        )
    until = time.monotonic() + patience_s
    while not answers(place):
        if process.poll() is not None and not answers(place):
            raise EngineError(f"The engine could not be started: {_told(log, begun)}")
        if time.monotonic() > until:
            raise EngineError(f"The engine (pid {process.pid}) does not answer yet; its log is {log}.")
        time.sleep(_LOOK_S)
    pid = process.pid
    # It is not waited for: it outlives this program.
    process.returncode = 0
    return pid


def _told(log: Path, begun: int) -> str:
    """What it said last before it ended."""
    try:
        said = log.read_bytes()[begun:].decode(errors="replace").strip().splitlines()
    except OSError:
        said = []
    return f"{' '.join(said[-_TAIL:]) or 'it said nothing'} (its log is {log})"
