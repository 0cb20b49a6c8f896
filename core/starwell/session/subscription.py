"""Events for any number of listeners, none of which the teller waits for.

Every event reaches every listener in order; of pictures and control values only the newest counts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import count

from starwell.session.events import (
    BoxMeasured,
    ControlChanged,
    Event,
    FocusMeasured,
    HistogramReady,
    PreviewReady,
)

BACKLOG = 10_000
"""Events a listener may fall behind: far more than a night's, unless nobody reads them at all."""

REMEMBERED = 2_000
"""Events a new listener is told of; with about six per sub, the last three hundred subs."""


class Subscription:
    """One listener's mail. `recent`: what was told before, oldest first, with the last pictures.

    A listener that falls too far behind loses its mail and is told so by `lagging`; it may subscribe anew.
    """

    def __init__(
        self, recent: tuple[Event, ...], backlog: int, leave: Callable[[Subscription], None]
    ) -> None:
        self.recent = recent
        self.lagging = False
        self._backlog = backlog
        self._leave = leave
        self._mail: dict[int | str, Event] = {}
        self._serial = count()
        self._changed = threading.Condition()
        self._closed = False
        self._wake: Callable[[], object] | None = None

    def put(self, event: Event) -> None:
        """Add an event; never waits for the listener."""
        with self._changed:
            if self._closed or self.lagging:
                return
            if isinstance(event, PreviewReady | HistogramReady):
                shown = f"{type(event).__name__} {event.of}"
                self._mail.pop(shown, None)
                self._mail[shown] = event
            else:
                self._mail[next(self._serial)] = event
            if len(self._mail) > self._backlog:
                self._mail.clear()
                self.lagging = True
            self._tell()

    def take(self, timeout_s: float | None = 0.0) -> list[Event]:
        """All that came since the last call, oldest first; waits up to timeout_s (None: for ever) for any.

        Empty at the time-out, when nothing more will come (`closed`), and when the mail was lost (`lagging`).
        """
        with self._changed:
            self._changed.wait_for(lambda: self._mail or self._closed or self.lagging, timeout_s)
            events = list(self._mail.values())
            self._mail.clear()
            return events

    def take_small(self) -> list[Event]:
        """All that came and is no picture, oldest first; never waits."""
        with self._changed:
            events = {key: event for key, event in self._mail.items() if not isinstance(event, PreviewReady)}
            for key in events:
                del self._mail[key]
            return list(events.values())

    def take_picture(self) -> PreviewReady | None:
        """The picture that has waited longest, as it looks now; never waits."""
        with self._changed:
            for key, event in self._mail.items():
                if isinstance(event, PreviewReady):
                    del self._mail[key]
                    return event
            return None

    def wake_with(self, wake: Callable[[], object]) -> None:
        """Call wake, from the teller's thread, whenever there is news; it must return at once.

        Never called once `close` has returned.
        """
        with self._changed:
            self._wake = wake
            wake()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    def close(self) -> None:
        """Stop listening; whoever waits in `take` returns."""
        self._leave(self)
        with self._changed:
            self._closed = True
            self._tell()
            self._wake = None

    def _tell(self) -> None:
        self._changed.notify_all()
        if self._wake is not None:
            self._wake()


class Subscribers:
    """Tells every listener; safe from any thread."""

    def __init__(self, *, remembered: int = REMEMBERED, backlog: int = BACKLOG) -> None:
        self._lock = threading.Lock()
        self._backlog = backlog
        self._serial = count()
        self._past: deque[tuple[int, Event]] = deque(maxlen=remembered)
        self._newest: dict[tuple[str, str], tuple[int, Event]] = {}
        self._listeners: list[Subscription] = []

    def publish(self, event: Event) -> None:
        """Tell every listener, and remember the event for those to come."""
        with self._lock:
            told = next(self._serial), event
            match event:
                case PreviewReady() | HistogramReady():
                    self._newest[type(event).__name__, event.of] = told
                case ControlChanged():
                    self._newest["control", event.name] = told
                case FocusMeasured() | BoxMeasured():
                    self._newest[type(event).__name__, ""] = told
                case _:
                    self._past.append(told)
            for listener in self._listeners:
                listener.put(event)

    def subscribe(self) -> Subscription:
        """A new listener, told what is remembered and everything from now on."""
        with self._lock:
            past = sorted([*self._past, *self._newest.values()], key=lambda told: told[0])
            listener = Subscription(tuple(event for _, event in past), self._backlog, self._drop)
            self._listeners.append(listener)
            return listener

    def close(self) -> None:
        """Nothing more will come: what was told can still be taken."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.close()

    def _drop(self, listener: Subscription) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
