"""What is done between two frames: settings taken over, pauses kept, the focus loop run."""

from __future__ import annotations

from collections.abc import Callable

from starwell.errors import CameraError
from starwell.frame import Exposure
from starwell.session.adjustments import SETTINGS, Adjustments
from starwell.session.engine_settings import told
from starwell.session.events import QualityAdvice, State
from starwell.session.focus import FocusLoop
from starwell.session.journal import SettingChanged
from starwell.session.shooting_room import Room, SeriesOver
from starwell.session.wishes import Ending, Setting

_FIRST = "ready: space starts"
_LATER = "until `starwell start`"


class Boundary:
    """Obeys what was asked for since the last frame.

    at_hand: how the next frame is exposed, with its filter in place. changed: hears of settings.
    """

    def __init__(
        self,
        room: Room,
        focus: FocusLoop,
        *,
        at_hand: Callable[[], Exposure | None],
        changed: Callable[[], None],
    ) -> None:
        self.adjusted = Adjustments(room.plan)
        self._room = room
        self._why = _FIRST if room.ready else _LATER
        self._focus = focus
        self._at_hand = at_hand
        self._changed = changed

    def take_up(self) -> None:
        """What was set by hand before a night was broken off holds again."""
        for record in self._room.night.settings:
            self._set(Setting(record.name, record.value, record.series))

    def take_over(self) -> None:
        """Let what was set meanwhile hold."""
        for setting in self._room.wishes.settings():
            self._change(setting)

    def obey(self) -> None:
        """Do what was asked for; returns when it may go on. SeriesOver when told to end."""
        wishes, resting = self._room.wishes, False
        while True:
            wishes.at_boundary()
            self.take_over()
            if wishes.ending is not Ending.NONE or wishes.focus_s is None:
                self._focus.leave()
            if wishes.ending is not Ending.NONE:
                finished = wishes.ending is Ending.STOP
                raise SeriesOver("stopped" if finished else "interrupted", finished=finished)
            if wishes.focus_s is not None:
                self._focus.run(self._at_hand())
            elif wishes.paused:
                self._rest(again=resting)
                resting = True
            else:
                self._why = _LATER
                return

    def _rest(self, *, again: bool) -> None:
        room = self._room
        room.enter(State.PAUSED, self._why)
        if room.night.stacking is not None and not again:
            room.night.stacking.checkpoint()
        room.wishes.wait_while_paused()

    def _change(self, setting: Setting) -> None:
        taken = self._set(setting)
        if taken is None:
            return
        room = self._room
        room.night.append(SettingChanged(name=setting.name, value=taken, series=setting.series))
        text = f"{taken:g}" if isinstance(taken, float | int) else taken
        room.telling.note(f"{setting.name} {text}")

    def _set(self, setting: Setting) -> float | str | None:
        """What the setting is now; None where the camera does not take it."""
        room, taken = self._room, setting.value
        if setting.name in SETTINGS:
            self.adjusted.set(setting.name, setting.value, setting.series)
            self._changed()
        else:
            try:
                taken = room.kept.set(setting.name, float(setting.value))
            except CameraError as error:
                room.telling.publish(QualityAdvice(subject="command", advice=str(error)))
                return None
        if isinstance(taken, float | int) and setting.name != "frames" and room.kept.camera is not None:
            room.telling.publish(told(room.kept.camera, setting.name, float(taken)))
        return taken
