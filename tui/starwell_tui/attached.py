"""The engine's screen as `starwell` opens it: an engine with nothing to do is asked what to take tonight."""

from __future__ import annotations

from starwell.session.events import State
from starwell_tui.app import StarwellApp

_LOOKED_EVERY_S = 0.2


class AttachedApp(StarwellApp):
    """Opens the sequence once, when the engine answers and neither works nor has worked."""

    def on_ready(self) -> None:
        """Wait for the engine's first words."""
        self._waiting = self.set_interval(_LOOKED_EVERY_S, self._first_words)

    def _first_words(self) -> None:
        status = self.night.status
        if status is None or self.night.gone:
            return
        self._waiting.stop()
        if status.state is State.IDLE and not status.frame and self.screen is self.panes:
            self.action_open("sequence")
