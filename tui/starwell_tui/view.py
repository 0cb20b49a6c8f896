"""How one user looks at the night: with the night itself, all that the panes are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from starwell.remote.messages import Box, Look, Reject, Restore, Stretch
from starwell_tui.viewpoint import Viewpoint

BLACK_STEP, BLACK_RANGE = 0.5, (-10, 40)
"""In times the noise, and how many steps there are."""
WHITE_STEP, WHITE_RANGE = 0.05, (0, 19)
"""In fractions of the range."""


@dataclass(slots=True)
class View:
    """of: the picture; blink: what alternates with the stack, other: whether that is shown now.

    black, white: steps of `Stretch`. given: what was last asked of the engine to show. box: the target box
    as it was put last. sub, setting: under the cursors; None stays with the newest sub. find: which subs are
    listed. pane: the chosen one; alone: it fills the screen. done: by hand, newest last. goals: by target.
    """

    of: str = "stack"
    viewpoint: Viewpoint = field(default_factory=Viewpoint)
    stretch: str = "auto"
    black: int = 0
    white: int = 0
    dots: str = "quad"
    given: Look = field(default_factory=Look)
    blink: str = ""
    other: bool = False
    crosshair: bool = False
    box: Box | None = None
    sub: int | None = None
    find: str = ""
    setting: int = 0
    pane: str = "frames"
    alone: bool = False
    done: list[Reject | Restore] = field(default_factory=list)
    goals: dict[str, float] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The picture on the screen at this moment."""
        if not self.blink:
            return self.of
        return self.blink if self.other else "stack"

    @property
    def curve(self) -> Stretch:
        """The stretch as the engine takes it."""
        return Stretch(self.stretch, self.black * BLACK_STEP, round(self.white * WHITE_STEP, 2))

    def adopt(self, name: str, points: tuple[float, float]) -> None:
        """Go on with the stretch that pictures have already."""
        self.stretch = name
        self.black, self.white = round(points[0] / BLACK_STEP), round(points[1] / WHITE_STEP)

    def level(self, end: str, steps: int) -> None:
        """Move the black or the white point; white only down from where it is by itself."""
        if end == "black":
            self.black = min(max(self.black + steps, BLACK_RANGE[0]), BLACK_RANGE[1])
        else:
            self.white = min(max(self.white - steps, WHITE_RANGE[0]), WHITE_RANGE[1])
