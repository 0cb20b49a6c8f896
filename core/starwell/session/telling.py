"""Every event of an engine on its way out: to whoever listens, to advice, to the plan's alerts."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from starwell.camera.protocol import Telemetry
from starwell.session.advice import Advisor
from starwell.session.advice_audit import Audit
from starwell.session.alerts import Commands
from starwell.session.events import Event, Noted, QualityAdvice, SubMeasured, SubStacked
from starwell.session.plan import Alerts, Plan, Target
from starwell.session.subscription import Subscribers
from starwell.session.sun import altitude_deg

_SKIES = 8
_FLIP_DEG = 90.0
_LOWEST_DEG = 10.0


class Telling:
    """Safe from any thread; nothing here waits for anybody."""

    def __init__(self, listeners: Subscribers) -> None:
        self._listeners = listeners
        self._lock = threading.RLock()
        self._advisor = Advisor()
        self._alerts = Commands(Alerts(), self.publish)
        self._cooled = self._recalling = False
        self._site: tuple[float, float] | None = None
        self._target: Target | None = None
        self._seconds: float | None = None
        self._skies_e_s: deque[float] = deque(maxlen=_SKIES)
        self._skies_adu: deque[float] = deque(maxlen=_SKIES)
        self._angle_deg: float | None = None
        self._flipped = False
        self._now: Callable[[], datetime] | None = None

    def begin(self, plan: Plan, site: tuple[float, float] | None, now: Callable[[], datetime]) -> None:
        """A night of this plan begins."""
        with self._lock:
            self._advisor = Advisor()
            self._alerts = Commands(plan.alerts, self.publish)
            self._cooled = plan.cooling is not None
            self._site, self._now = site, now
        self.point_at(None)

    def point_at(self, target: Target | None) -> None:
        """The lights to come are of this target."""
        with self._lock:
            if target is self._target:
                return
            self._target, self._angle_deg, self._flipped = target, None, False
            self._skies_adu.clear()
            self._skies_e_s.clear()

    def expose(self, seconds: float | None, sky_adu: float | None = None) -> None:
        """How long the lights are exposed, and how bright the last one was."""
        with self._lock:
            self._seconds = seconds
            if sky_adu is not None:
                self._skies_adu.append(sky_adu)

    @property
    def skies(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of the last lights of this target, newest last: ADU, and e- per second."""
        with self._lock:
            return tuple(self._skies_adu), tuple(self._skies_e_s)

    @property
    def flipped(self) -> bool:
        """Whether the mount turned over since the target was begun."""
        return self._flipped

    def publish(self, event: Event) -> None:
        """Tell everybody; advice that follows from it comes right after it."""
        self._listeners.publish(event)
        with self._lock:
            self._note(event)
            advice = self._advisor.take(event, self._airmass())
            alerts = self._alerts
        if not self._recalling or isinstance(event, QualityAdvice):
            alerts.tell(event)
        self._advise(advice)

    @contextmanager
    def recalling(self) -> Iterator[None]:
        """What is told meanwhile happened before: it alerts nobody."""
        self._recalling = True
        try:
            yield
        finally:
            self._recalling = False

    def rings(self, event: Event) -> bool:
        """Whether the terminal's bell is to ring."""
        return self._alerts.rings(event)

    def seen(self, now: Telemetry) -> None:
        """The camera's temperature, for what follows from it."""
        with self._lock:
            cooled = self._cooled or bool(now.cooler_on)
            advice = self._advisor.telemetry(sensor_celsius=now.sensor_celsius, cooled=cooled)
        self._advise(advice)

    def audited(self, audit: Audit, number: int) -> None:
        """What a stack's first sub says of the masters."""
        with self._lock:
            advice = self._advisor.audited(audit, number)
        self._advise(advice)

    def note(self, text: str) -> None:
        """Tell a line for the log."""
        now = self._now() if self._now is not None else datetime.now(UTC)
        self.publish(Noted(text=text, at=now.isoformat(timespec="seconds")))

    def wait(self, timeout_s: float) -> None:
        """Give alerts that run this long to end."""
        self._alerts.wait(timeout_s)

    def _advise(self, advice: list[QualityAdvice]) -> None:
        for one in advice:
            self.publish(one)

    def _note(self, event: Event) -> None:
        if isinstance(event, SubMeasured) and event.sky_e is not None and self._seconds:
            self._skies_e_s.append(event.sky_e / self._seconds)
        if isinstance(event, SubStacked):
            if self._angle_deg is not None:
                turned = abs((event.angle_deg - self._angle_deg + 180) % 360 - 180)
                self._flipped = self._flipped or turned > _FLIP_DEG
            self._angle_deg = event.angle_deg

    def _airmass(self) -> float | None:
        target, site = self._target, self._site
        if target is None or site is None or self._now is None:
            return None
        if target.ra_deg is None or target.dec_deg is None:
            return None
        altitude = altitude_deg(self._now(), target.ra_deg, target.dec_deg, *site)
        return 1 / math.sin(math.radians(max(altitude, _LOWEST_DEG)))
