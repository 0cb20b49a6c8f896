"""Commands that tell somebody: one per kind of event, run beside the night, which never waits for them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from string import Template
from threading import Condition, Thread
from typing import IO, get_args

from starwell.session.event_lines import AnyEvent, encode
from starwell.session.events import (
    BoxMeasured,
    CameraFault,
    Event,
    FocusMeasured,
    HistogramReady,
    PreviewReady,
    QualityAdvice,
    State,
    StateChanged,
    SubRejected,
)
from starwell.session.guiding import end_session
from starwell.session.plan import Alerts

_AT_ONCE = 4
_SAID = 200


def kind_of(event: type[Event]) -> str:
    """The name under which a plan knows a kind of event: `sub-rejected`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()


ALARM = "alarm"
"""Whatever needs a person: serious advice, a camera that is gone, subs kept out in a row, a fault."""

_LOOKED_AT = (PreviewReady, HistogramReady, FocusMeasured, BoxMeasured)
"""What only somebody who sits before the screen wants to know."""

ALERT_KINDS = (ALARM, *(kind_of(kind) for kind in get_args(AnyEvent) if kind not in _LOOKED_AT))
SUBJECT = "alerts"
"""The subject of advice about alerts themselves; it runs no command."""


def is_alarm(event: Event) -> bool:
    """Whether a person should look."""
    match event:
        case QualityAdvice(serious=serious):
            return serious
        case CameraFault(recovered=recovered):
            return not recovered
        case SubRejected(alarm=alarm):
            return alarm
        case StateChanged(state=state):
            return state is State.FAULT
    return False


def sentence(event: Event) -> str:
    """An event as people read it."""
    match event:
        case QualityAdvice(subject=subject, advice=advice):
            return f"{subject}: {advice}"
        case CameraFault(message=message):
            return message
        case SubRejected(number=number, reason=reason, detail=detail):
            return f"Sub {number} is kept out: {reason}" + (f", {detail}" if detail else "")
        case StateChanged(state=state, why=why):
            return f"{state}" + (f": {why}" if why else "")
    return f"{kind_of(type(event)).replace('-', ' ')} {encode(event).decode()}"


class Commands:
    """Runs the alerts of a plan. `tell` returns at once; report is called with advice, from any thread.

    A command gets the event as JSON on its standard input, its kind in $STARWELL_EVENT and a sentence in
    $STARWELL_TEXT; both are also filled in where the command's words name them. No shell is involved. A
    command that fails, or takes longer than the plan allows and is ended, is told of once, until it works.
    """

    def __init__(self, alerts: Alerts, report: Callable[[QualityAdvice], None]) -> None:
        self._alerts, self._report = alerts, report
        self._lock = Condition()
        self._running = 0
        self._failing: set[str] = set()

    def rings(self, event: Event) -> bool:
        """Whether the terminal's bell rings for this event."""
        return any(kind in self._alerts.bell for kind in _kinds(event))

    def tell(self, event: Event) -> None:
        """Start what the plan wants to be started for this event."""
        for kind in _kinds(event):
            command = self._alerts.commands.get(kind)
            if command is not None:
                self._start(kind, command, event)

    def wait(self, timeout_s: float) -> bool:
        """Before the engine leaves: give what runs this long; whether nothing runs any more."""
        with self._lock:
            return self._lock.wait_for(lambda: self._running == 0, timeout_s)

    def _start(self, kind: str, command: str, event: Event) -> None:
        with self._lock:
            crowded = self._running >= _AT_ONCE
            self._running += not crowded
        if crowded:
            self._failed(kind, f"{_AT_ONCE} commands are running already")
            return
        said = {"STARWELL_EVENT": kind_of(type(event)), "STARWELL_TEXT": sentence(event)}
        try:
            running, complaint = _launch(command, said)
        except (OSError, ValueError) as fault:
            self._ended()
            self._failed(kind, str(fault))
            return
        watch = Thread(
            target=self._watch,
            args=(kind, running, encode(event), complaint),
            name=f"alert {kind}",
            daemon=True,
        )
        watch.start()

    def _watch(self, kind: str, running: subprocess.Popen[bytes], line: bytes, complaint: IO[bytes]) -> None:
        try:
            with complaint:
                why = self._outcome(running, line, complaint)
            if why:
                self._failed(kind, why)
            else:
                with self._lock:
                    self._failing.discard(kind)
        finally:
            self._ended()

    def _outcome(self, running: subprocess.Popen[bytes], line: bytes, complaint: IO[bytes]) -> str:
        """Why the command failed; empty where it did not."""
        try:
            running.communicate(line + b"\n", self._alerts.timeout_s)
        except subprocess.TimeoutExpired:
            end_session(running)
            return f"it took more than {self._alerts.timeout_s:g} s and was ended"
        if running.returncode == 0:
            return ""
        complaint.seek(0)
        said = complaint.read(_SAID).decode(errors="replace").strip()
        return f"it ended with {running.returncode}" + (f": {said}" if said else "")

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1
            self._lock.notify_all()

    def _failed(self, kind: str, why: str) -> None:
        with self._lock:
            known = kind in self._failing
            self._failing.add(kind)
        if not known:
            advice = f"The command for {kind} failed: {why}. The night goes on; look at [alerts] in the plan."
            self._report(QualityAdvice(subject=SUBJECT, advice=advice))


def _launch(command: str, said: dict[str, str]) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """The command, started, and the file that takes its complaints."""
    words = [Template(word).safe_substitute(said) for word in shlex.split(command)]
    # Closed by whoever watches the command.
    complaint = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        # The user's own command, from the user's own plan.
        running = subprocess.Popen(  # noqa: S603
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaint,
            env=os.environ | said,
            start_new_session=True,
        )
    except (OSError, ValueError):
        complaint.close()
        raise
    return running, complaint


def _kinds(event: Event) -> Iterator[str]:
    if isinstance(event, _LOOKED_AT) or (isinstance(event, QualityAdvice) and event.subject == SUBJECT):
        return
    yield kind_of(type(event))
    if is_alarm(event):
        yield ALARM
