"""What PHD2 said so far, and what follows from it; no socket, no thread."""

from __future__ import annotations

import json
import math
from typing import Any

from starwell.session.guiding import GuidingState, StepErrors

_APP_STATES = {
    "Guiding": GuidingState.GUIDING,
    "LostLock": GuidingState.LOST,
    "Stopped": GuidingState.IDLE,
    "Selected": GuidingState.IDLE,
    "Calibrating": GuidingState.IDLE,
    "Looping": GuidingState.IDLE,
    "Paused": GuidingState.IDLE,
}
_IDLE_EVENTS = ("GuidingStopped", "LoopingExposuresStopped", "Paused", "StartCalibration", "LockPositionLost")
_KEPT_ANSWERS = 16


class Talk:
    """One conversation with PHD2, and the next ones. Not safe for threads: its owner locks.

    settled: None while a dither settles, else why it did not, or an empty text when it did. answers: by
    number, the result and why there is none.
    """

    def __init__(self, arcsec_per_px: float | None = None) -> None:
        self.state = GuidingState.UNAVAILABLE
        self.version: str | None = None
        self.arcsec_per_px = arcsec_per_px
        self.settled: str | None = ""
        self.answers: dict[int, tuple[Any, str]] = {}
        self.errors = StepErrors()
        self._given_scale = arcsec_per_px
        self._asked: dict[int, str] = {}
        self._settling_for: int | None = None
        self._last = 0

    def connected(self) -> None:
        """A new connection; PHD2 says its version and state by itself."""
        self.state = GuidingState.IDLE
        self.errors.clear()

    def hung_up(self) -> None:
        """The connection is gone, and with it every answer still due."""
        self.state = GuidingState.UNAVAILABLE
        self._settling_for = None
        for number in self._asked:
            self.answers[number] = (None, "PHD2 hung up.")
        self._asked.clear()
        if self.settled is None:
            self.settled = "PHD2 hung up while settling."

    def ask(self, method: str, *, begins_settling: bool = False) -> int:
        """The number of a new request; begins_settling: its answer, if good, begins a settling."""
        self._last += 1
        self._asked[self._last] = method
        if begins_settling:
            self._settling_for = self._last
        return self._last

    def give_up(self) -> None:
        """Nobody waits for the dither to settle any more."""
        self.settled = ""
        if self.state is GuidingState.SETTLING:
            self.state = GuidingState.GUIDING

    def hear(self, line: bytes) -> None:
        """One line from PHD2; what is no message of its protocol is passed by."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        if "Event" in message:
            self._event(str(message["Event"]), message)
        elif isinstance(message.get("id"), int):
            self._answer(message["id"], message)

    def _answer(self, number: int, message: dict[str, Any]) -> None:
        method = self._asked.pop(number, None)
        if method is None:
            return
        why = _refusal(method, message.get("error")) if "error" in message else ""
        answer = message.get("result")
        self.answers[number] = (answer, why)
        while len(self.answers) > _KEPT_ANSWERS:
            self.answers.pop(next(iter(self.answers)))
        if number == self._settling_for:
            self._settling_for = None
            if not why:
                # Only a SettleDone after this answer is meant for this dither.
                self.settled, self.state = None, GuidingState.SETTLING
        elif method == "get_app_state" and not why:
            self._app_state(answer)
        elif method == "get_pixel_scale" and self._given_scale is None and not why:
            scale = _number(answer)
            self.arcsec_per_px = scale if scale is not None and scale > 0 else None

    def _event(self, name: str, message: dict[str, Any]) -> None:
        if name == "GuideStep":
            self._step(message)
        elif name == "SettleDone":
            self._settle_done(message)
        elif name in ("SettleBegin", "Settling"):
            self.state = GuidingState.SETTLING
        elif name == "StarLost":
            self.state = GuidingState.LOST
        elif name in ("StartGuiding", "Resumed"):
            self.state = GuidingState.GUIDING
            self.errors.clear()
        elif name in _IDLE_EVENTS:
            self._stopped(name)
        elif name == "AppState":
            self._app_state(message.get("State"))
        elif name == "Version":
            self.version = str(message.get("PHDVersion", "")) or None

    def _step(self, message: dict[str, Any]) -> None:
        """A guide step means that the star is there; while settling its error is the dither's own."""
        if self.state is GuidingState.SETTLING:
            return
        self.state = GuidingState.GUIDING if self.settled is not None else GuidingState.SETTLING
        ra, dec = _number(message.get("RADistanceRaw")), _number(message.get("DECDistanceRaw"))
        if ra is not None and dec is not None and self.arcsec_per_px is not None:
            self.errors.add(ra * self.arcsec_per_px, dec * self.arcsec_per_px)

    def _settle_done(self, message: dict[str, Any]) -> None:
        failed = message.get("Status") not in (0, None)
        if self.settled is None:
            error = str(message.get("Error") or "no reason given")
            self.settled = f"PHD2 did not settle: {error}." if failed else ""
        if self.state is GuidingState.SETTLING:
            self.state = GuidingState.GUIDING

    def _stopped(self, name: str) -> None:
        self.state = GuidingState.LOST if name == "LockPositionLost" else GuidingState.IDLE
        if self.settled is None:
            self.settled = "Guiding stopped while settling."

    def _app_state(self, word: Any) -> None:
        state = _APP_STATES.get(str(word), GuidingState.IDLE)
        # PHD2 calls itself guiding while it settles.
        if self.settled is None and state is GuidingState.GUIDING:
            return
        self.state = state


def _refusal(method: str, error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return f"PHD2 refused {method}: {said}."


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
