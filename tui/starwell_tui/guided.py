"""The demo's screen: the panes, and a tour that enter leads through and esc ends."""

from __future__ import annotations

from typing import Any

from textual import events

from starwell_tui.app import StarwellApp
from starwell_tui.messages import Link
from starwell_tui.screens.tour import Tour


class GuidedApp(StarwellApp):
    """tour: whether there is one; every key but enter and esc does what it always does."""

    def __init__(self, link: Link, *, tour: bool = True, **looks: Any) -> None:
        super().__init__(link, **looks)
        self._tour = Tour(self.night) if tour else None

    async def on_ready(self) -> None:
        """The tour begins when the panes are there."""
        if self._tour is not None:
            await self.panes.mount(self._tour, before=self.panes.footer)

    async def on_event(self, event: events.Event) -> None:
        """The tour's two keys, while it lasts and nothing lies over the panes."""
        key = event.key if isinstance(event, events.Key) and not event.is_forwarded else ""
        if self._tour is None or key not in ("enter", "escape") or self.screen is not self.panes:
            await super().on_event(event)
        elif key == "escape" or not self._tour.go_on():
            tour, self._tour = self._tour, None
            await tour.remove()
