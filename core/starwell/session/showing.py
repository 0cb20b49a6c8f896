"""What a screen may ask to be shown, from any thread; the stacking thread draws it between two subs."""

from __future__ import annotations

from functools import partial

from starwell.errors import PlanError
from starwell.picture.stretch import Stretch
from starwell.session.face import Box, Look
from starwell.session.looking import LARGEST_PART, LOOKS
from starwell.session.shown import Shown
from starwell.session.turns import Turns


class Showing:
    """Takes wishes; each is answered by a picture or a figure as an event."""

    def __init__(self, turns: Turns, shown: Shown) -> None:
        self._turns = turns
        self._shown = shown

    def stretch(self, name: str, black: float = 0.0, white: float = 0.0) -> None:
        """Stretch the pictures like this from now on; PlanError for an unknown name."""
        if name not in tuple(Stretch):
            raise PlanError(f"There is no stretch called {name!r}; choose one of {', '.join(Stretch)}.")
        self._turns.ask(partial(self._shown.stretch, Stretch(name), black, white))

    def look(self, look: Look) -> None:
        """Show this from now on; PlanError for what cannot be looked at."""
        if look.of not in LOOKS:
            raise PlanError(f"There is no {look.of!r} to look at; choose one of {', '.join(LOOKS)}.")
        if look.of == "reference" and self._shown.earlier() is None:
            raise PlanError("There is no earlier stack of this target to frame on.")
        crop = look.crop
        if crop is not None and (crop[2] > LARGEST_PART[0] or crop[3] > LARGEST_PART[1]):
            wide, tall = LARGEST_PART
            raise PlanError(f"A part has {wide}×{tall} px at most, not {crop[2]}×{crop[3]}.")
        self._turns.ask(partial(self._shown.look, look))

    def measure(self, box: Box) -> None:
        """Measure what is in this box of the stack from now on."""
        self._turns.ask(partial(self._shown.measure, box))
