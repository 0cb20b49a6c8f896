"""The first two darks of a series, held back until it is sure that they are dark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from starwell.errors import CameraError
from starwell.files.atomic import writing
from starwell.files.frames import open_frame
from starwell.frame import Exposure, Frame, Kind
from starwell.session.light_leak import light_leak
from starwell.session.night_files import Night

_IN_THE_DARK = (Kind.DARK, Kind.DARK_FLAT, Kind.BIAS)


class LightGetsIn(CameraError):
    """The frames of a dark series are not dark."""


class DarkGuard:
    """Passes frames on to keep; the first dark of a series waits for the second."""

    def __init__(self, night: Night, keep: Callable[[Frame, str], None]) -> None:
        self._night = night
        self._keep = keep
        self._first: tuple[Frame, str] | None = None
        self._passed: set[str] = set()

    def take(self, frame: Frame, series: str) -> None:
        """One frame that is on disk; LightGetsIn, and both frames are moved to refused/, when it is light."""
        if self._first is not None and self._first[1] != series:
            self.flush()
        if frame.facts.exposure.kind not in _IN_THE_DARK or series in self._passed:
            self._keep(frame, series)
            return
        if self._first is None:
            self._first = frame, series
            return
        self._refuse_light([self._first[0], frame])
        self._passed.add(series)
        self.flush()
        self._keep(frame, series)

    def flush(self) -> None:
        """Keep the one that waits."""
        if self._first is not None:
            (frame, series), self._first = self._first, None
            self._keep(frame, series)

    def _refuse_light(self, frames: list[Frame]) -> None:
        exposure = frames[0].facts.exposure
        sign = light_leak(frames[0], frames[1], self._bias_adu(exposure))
        if sign is None:
            return
        self._first = None
        refused = self._night.folder / "refused"
        with writing(refused):
            refused.mkdir(exist_ok=True)
            for frame in frames:
                if frame.facts.source is not None:
                    frame.facts.source.replace(refused / frame.facts.source.name)
        raise LightGetsIn(
            f"Light gets into this {exposure.kind.value}: {sign}. Its frames went to {refused}. Put the cap "
            "on (plastic ones let infrared through: use metal foil), cover the focuser, turn lamps off, and "
            "try again."
        )

    def _bias_adu(self, exposure: Exposure) -> float | None:
        """The level of a bias of this night with the same settings, for what is no bias itself."""
        if exposure.kind is Kind.BIAS:
            return None
        for path in self._night.frames(Kind.BIAS).values():
            frame = open_frame(path)
            shot = frame.facts.exposure
            if (shot.gain, shot.offset, shot.bin) == (exposure.gain, exposure.offset, exposure.bin):
                return float(np.median(frame.pixels))
        return None
