"""Guiding as the sequence sees it: may a sub be begun, is it time to dither, how well is it guided.

`guiding_phd2` talks to PHD2; `CommandDither` moves the mount by any command.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import Protocol

from starwell.frame import Kind
from starwell.session.events import QualityAdvice
from starwell.session.plan import Dither

_POLL_S = 0.05


class GuidingState(StrEnum):
    """IDLE: PHD2 is there, but does not guide: stopped, looping, calibrating or paused."""

    GUIDING = "guiding"
    SETTLING = "settling"
    LOST = "star lost"
    IDLE = "not guiding"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class GuideRms:
    """How far the guide star strayed lately, root mean square about its mean, arcsec."""

    ra_arcsec: float
    dec_arcsec: float
    steps: int

    @property
    def total_arcsec(self) -> float:
        """Both axes together."""
        return math.hypot(self.ra_arcsec, self.dec_arcsec)


@dataclass(frozen=True, slots=True)
class Dithered:
    """How a dither went; a sub may follow in any case, only less well when it has not settled."""

    settled: bool
    seconds: float
    why: str = ""


class Guider(Protocol):
    """What dithers, and perhaps guides."""

    @property
    def state(self) -> GuidingState:
        """Where guiding stands."""

    @property
    def rms(self) -> GuideRms | None:
        """How well the last steps went; None where nothing is guided."""

    def dither(self, dither: Dither, arcsec_per_px: float, cancel: Event | None = None) -> Dithered:
        """Move by up to dither.amount_px of the main camera and wait until settled, at most timeout_s."""

    def close(self) -> None:
        """Let go of it; guiding itself goes on."""


class DitherPolicy:
    """When to dither: only between two lights of one target, never during an exposure nor after the last.

    Ask `due` right before each exposure, when it is certain that it comes; that is why no dither can follow
    the last sub. A new target is a new place on the sensor already.
    """

    def __init__(self, dither: Dither | None) -> None:
        self._every = dither.every if dither is not None else None
        self._since = 0
        self._target: str | None = None
        self._exposing = False

    def due(self, kind: Kind, target: str) -> bool:
        """Whether to dither now, before this exposure."""
        if self._every is None or self._exposing or kind is not Kind.LIGHT:
            return False
        return target == self._target and self._since >= self._every

    def dithered(self) -> None:
        """A dither was made, or tried."""
        self._since = 0

    def before_exposure(self, kind: Kind, target: str) -> None:
        """The shutter opens."""
        if kind is Kind.LIGHT and target != self._target:
            self._target, self._since = target, 0
        self._exposing = True

    def after_exposure(self, kind: Kind) -> None:
        """The shutter is closed."""
        self._exposing = False
        self._since += kind is Kind.LIGHT


class GuideWatch:
    """Holds the sequence while the guide star is lost, or guiding that was there has stopped; tells once.

    Settling does not hold: `Guider.dither` has waited for it as long as the plan allows.
    """

    def __init__(self) -> None:
        self._has_guided = False
        self._holding = False

    def before_exposure(self, state: GuidingState, kind: Kind = Kind.LIGHT) -> str | None:
        """None when the exposure may be begun, or why to hold; only lights need a guide star."""
        self._has_guided |= state is GuidingState.GUIDING
        if kind is not Kind.LIGHT:
            return None
        if state is GuidingState.LOST:
            return "the guide star is lost"
        if state is GuidingState.IDLE and self._has_guided:
            return "guiding has stopped"
        return None

    def news(self, hold: str | None) -> QualityAdvice | None:
        """What to tell people of the answer above: once when a hold begins, and once when it ends."""
        if (hold is not None) == self._holding:
            return None
        self._holding = hold is not None
        if hold is None:
            return QualityAdvice(subject="guiding", advice="Guiding again: the sequence goes on.")
        advice = f"The sequence waits: {hold}. It goes on by itself as soon as PHD2 guides."
        return QualityAdvice(subject="guiding", advice=advice, serious=True)


class StepErrors:
    """The errors of the last guide steps, arcsec, while guiding was settled."""

    def __init__(self, window: int = 100) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=window)

    def add(self, ra_arcsec: float, dec_arcsec: float) -> None:
        """One guide step."""
        if math.isfinite(ra_arcsec) and math.isfinite(dec_arcsec):
            self._steps.append((ra_arcsec, dec_arcsec))

    def clear(self) -> None:
        """Guiding begins anew."""
        self._steps.clear()

    @property
    def rms(self) -> GuideRms | None:
        """None before two steps are known."""
        count = len(self._steps)
        if count < 2:
            return None
        scatter = []
        for axis in zip(*self._steps, strict=True):
            mean = math.fsum(axis) / count
            scatter.append(math.sqrt(math.fsum((v - mean) ** 2 for v in axis) / count))
        return GuideRms(scatter[0], scatter[1], count)


class CommandDither:
    """A shell command moves the mount, and has settled it when it ends with 0."""

    state = GuidingState.UNAVAILABLE
    rms: GuideRms | None = None

    def __init__(self, command: str) -> None:
        self._command = command

    def dither(self, dither: Dither, arcsec_per_px: float, cancel: Event | None = None) -> Dithered:
        """Run it; it is killed when it takes longer than the timeout, or on cancel."""
        arcsec = dither.amount_px * arcsec_per_px
        filled = {
            "px": f"{dither.amount_px:g}",
            "arcsec": f"{arcsec:.3g}",
            "ra_only": str(int(dither.ra_only)),
        }
        began = time.monotonic()
        try:
            words = [_fill(word, filled) for word in shlex.split(self._command)]
            # The user's own command, from the user's own plan.
            running = subprocess.Popen(  # noqa: S603
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as fault:
            return Dithered(False, 0.0, f"The dither command cannot be run: {fault}.")
        while True:
            spent = time.monotonic() - began
            try:
                code = running.wait(min(_POLL_S, max(dither.settle.timeout_s - spent, 0.001)))
            except subprocess.TimeoutExpired:
                stopped = cancel is not None and cancel.is_set()
                if stopped or time.monotonic() - began >= dither.settle.timeout_s:
                    end_session(running)
                    why = "cancelled" if stopped else f"it took more than {dither.settle.timeout_s:g} s"
                    return Dithered(False, time.monotonic() - began, f"The dither command was ended: {why}.")
                continue
            why = "" if code == 0 else f"The dither command failed with {code}."
            return Dithered(code == 0, time.monotonic() - began, why)

    def close(self) -> None:
        """Nothing is held."""


def end_session(running: subprocess.Popen[bytes]) -> None:
    """Kill a command that was started in a session of its own, with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _fill(word: str, filled: dict[str, str]) -> str:
    for name, value in filled.items():
        word = word.replace("{" + name + "}", value)
    return word
