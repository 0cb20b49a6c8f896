"""The focus loop: short frames that are measured, shown and forgotten; the night goes on where it was."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from starwell.camera.simulated import SimulatedCamera
from starwell.errors import Aborted, CameraGone, ControlRefused, Transient
from starwell.frame import Exposure, Kind
from starwell.session.capture import Capture
from starwell.session.events import CameraFault, FocusMeasured, QualityAdvice, State
from starwell.session.focus_frame import FocusFrame
from starwell.session.shooting_room import Room, Seen

FOCUS_S = 2.0
_LAST = 20
_SHARE = 0.95
_PATIENCE = 5


class Tries:
    """The half-flux radii of one run of the loop, in px."""

    def __init__(self) -> None:
        self.best: float | None = None
        self._last: deque[float] = deque(maxlen=_LAST)

    def add(self, hfr_px: float) -> None:
        """One more; a frame without stars (not a number) says nothing."""
        if math.isfinite(hfr_px):
            self._last.append(hfr_px)
            self.best = hfr_px if self.best is None else min(self.best, hfr_px)

    @property
    def span(self) -> tuple[float, float] | None:
        """The shortest stretch that holds 95 % of the last ones."""
        seen = sorted(self._last)
        if not seen:
            return None
        most = math.ceil(_SHARE * len(seen))
        stretches = ((seen[i], seen[i + most - 1]) for i in range(len(seen) - most + 1))
        return min(stretches, key=lambda ends: ends[1] - ends[0])


class FocusLoop:
    """One frame after the other, on the capture thread; nothing is saved, counted or numbered."""

    def __init__(self, room: Room, capture: Capture, seen: Seen) -> None:
        self._room = room
        self._capture = capture
        self._seen = seen
        self._tries: Tries | None = None
        self._number = self._failures = 0

    def run(self, shot: Exposure | None) -> None:
        """Take and show one frame, exposed like the lights to come but for its length."""
        wishes = self._room.wishes
        seconds = wishes.focus_s or FOCUS_S
        if self._tries is None:
            self._tries, self._number, self._failures = Tries(), 0, 0
            self._seen.mode = "focus"
            wishes.focusing(True)
        self._room.enter(State.EXPOSING, "focus")
        try:
            frame = self._capture.trial(replace(shot or Exposure(), kind=Kind.LIGHT, seconds=seconds))
        except Aborted:
            return
        except ControlRefused as error:
            self._give_up(str(error))
        except CameraGone as error:
            self._room.kept.open_again(error)
        except Transient as error:
            self._fail(error)
        else:
            self._failures = 0
            self._show(FocusFrame(frame), seconds, self._tries)
        finally:
            self._seen.exposed_s = None

    def leave(self) -> None:
        """The loop is over; what comes next is as if it had never been."""
        if self._tries is None:
            return
        self._tries, self._seen.mode = None, ""
        self._room.wishes.focusing(False)
        if isinstance(self._capture.camera, SimulatedCamera):
            self._capture.camera.go_on_after(self._room.night.night.taken())

    def _show(self, frame: FocusFrame, seconds: float, tries: Tries) -> None:
        self._number += 1
        stars = frame.stars
        tries.add(stars.hfr_px)
        low, high = tries.span or (None, None)
        publish = self._room.telling.publish
        publish(
            FocusMeasured(
                number=self._number,
                seconds=seconds,
                stars=stars.count,
                hfr_px=_known(stars.hfr_px),
                fwhm_px=_known(stars.fwhm_px),
                best_hfr_px=tries.best,
                low_px=low,
                high_px=high,
                corners=frame.corners,
                peak_adu=frame.peak_adu,
                saturated=frame.saturated,
                celsius=frame.celsius,
            )
        )
        for picture in (frame.star_picture(self._number), frame.corner_picture(self._number)):
            if picture is not None:
                publish(picture)

    def _fail(self, error: Transient) -> None:
        self._failures += 1
        if self._failures < _PATIENCE:
            self._room.telling.publish(CameraFault(message=str(error), recovered=True))
        else:
            self._give_up(f"{self._failures} frames in a row failed. The last time: {error}")

    def _give_up(self, why: str) -> None:
        self._room.wishes.focus(None)
        self._room.telling.publish(QualityAdvice(subject="focus", advice=f"The focus loop ended: {why}"))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
