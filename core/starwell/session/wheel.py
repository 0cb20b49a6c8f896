"""The filter wheel, turned by the rig's own command."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from starwell.errors import CameraError, PlanError

_WHEEL_S = 60.0


class Wheel:
    """Turns to a filter when it is not there yet. command: {slot} is the filter's number, from 1."""

    def __init__(self, command: str | None, filters: Sequence[str]) -> None:
        self._command = command
        self._filters = tuple(filters)
        self._at: str | None = None

    def turn(self, wanted: str | None) -> None:
        """Have this filter in the light's way; nothing without a wheel or a filter.

        PlanError for a filter the rig does not have, CameraError when the command fails.
        """
        if wanted is None or wanted == self._at:
            return
        if self._filters and wanted not in self._filters:
            raise PlanError(f"The rig has no filter {wanted}: its filters are {', '.join(self._filters)}.")
        if self._command is not None and self._filters:
            self._run(self._command, wanted)
        self._at = wanted

    def _run(self, command: str, wanted: str) -> None:
        slot = self._filters.index(wanted) + 1
        words = [word.format(slot=slot, filter=wanted) for word in shlex.split(command)]
        try:
            # The user's own command, from the user's own configuration.
            subprocess.run(words, check=True, capture_output=True, text=True, timeout=_WHEEL_S)  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip()
            raise CameraError(
                f"The filter wheel did not turn to {wanted}: {shlex.join(words)}: {said}"
            ) from error
