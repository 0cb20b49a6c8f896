"""One series without a plan: cooled, captured, live-stacked, saved; always with an end that says why."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from starwell.camera.protocol import Camera, Progress
from starwell.config import Rig
from starwell.errors import CameraError, PlanError, StarwellError
from starwell.session.capture import Capture, Series
from starwell.session.cooling import Patience, cool
from starwell.session.events import Event, QualityAdvice, SeriesFinished, State, StateChanged
from starwell.session.live_stacks import LiveStacks
from starwell.session.night_files import Night

_WHEEL_S = 60.0


class SingleRun:
    """One series of an opened camera into a night. live: stacks its lights, where asked for."""

    def __init__(
        self,
        camera: Camera,
        night: Night,
        series: Series,
        cancel: threading.Event,
        *,
        rig: Rig | None = None,
        keywords: Mapping[str, Any] | None = None,
        celsius: float | None = None,
        live: LiveStacks | None = None,
        progress: Progress | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.series = series
        self.capture = Capture(
            camera,
            night,
            cancel,
            keywords=keywords,
            progress=progress,
            deliver=live.deliver if live else None,
        )
        self._camera = camera
        self._cancel = cancel
        self._rig = rig or Rig()
        self._celsius = celsius
        self._live = live
        self._patience = patience

    def events(self) -> Iterator[Event]:
        """Do it; SeriesFinished comes whatever happens, then the error that ended the series, if one did."""
        failure: StarwellError | None = None
        try:
            if self._celsius is not None:
                yield from cool(self._camera, self._celsius, self._cancel, self._patience)
            turn_wheel(self._rig, self.series.exposure.filter)
            yield StateChanged(state=State.EXPOSING, why=self.series.exposure.kind.value)
            yield from self.capture.run(self.series)
            yield from self._end_stacks()
        except StarwellError as error:
            failure = error
            yield from self._saved_after(error)
        yield self._finished(failure)
        if failure is not None:
            raise failure

    def _end_stacks(self) -> Iterator[Event]:
        if self._live is None:
            return
        if not self._cancel.is_set():  # it may read subs again, and whoever interrupts is in a hurry
            yield from self._live.finish()
        yield from self._live.save()

    def _saved_after(self, error: StarwellError) -> Iterator[Event]:
        """What was stacked until the error, where it can still be written."""
        if self._live is None:
            return
        try:
            yield from self._live.save()
        except StarwellError as second:
            if str(second) != str(error):
                yield QualityAdvice(subject="stack", advice=str(second), serious=True)

    def _finished(self, failure: StarwellError | None) -> SeriesFinished:
        stacked, rejected = self._live.counts if self._live else (0, 0)
        return SeriesFinished(
            stacked=stacked,
            rejected=rejected,
            unreadable=self.capture.lost,
            livetime_s=self._live.livetime_s if self._live else None,
            why=str(failure) if failure else self.capture.why,
        )


def turn_wheel(rig: Rig, wanted: str | None) -> None:
    """Run the rig's wheel command with the filter's slot, from 1; nothing without wheel or filter.

    PlanError for a filter the rig does not have, CameraError when the command fails.
    """
    if wanted is None:
        return
    if rig.filters and wanted not in rig.filters:
        raise PlanError(f"The rig has no filter {wanted}: its filters are {', '.join(rig.filters)}.")
    if rig.wheel is None or not rig.filters:
        return
    words = [w.format(slot=rig.filters.index(wanted) + 1, filter=wanted) for w in shlex.split(rig.wheel)]
    try:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=_WHEEL_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise CameraError(
            f"The filter wheel did not turn to {wanted}: {shlex.join(words)}: {said}"
        ) from error
