"""Pane 1: what the camera is set to, and what can be changed."""

from __future__ import annotations

from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, line
from starwell_tui.settings import SETTINGS, Setting, shown
from starwell_tui.theme import BLUE, GROUND, style

CHOSEN = style(GROUND, BLUE)
LABEL_COLUMNS = 10


class Camera(Pane):
    """Labels and values; the cursor is on one that can be changed."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="camera", classes="pane")
        self.border_title = "1 Camera"
        self._cursor = 0

    @property
    def chosen(self) -> Setting:
        """The setting under the cursor."""
        return SETTINGS[self._cursor]

    def choose(self, steps: int) -> None:
        """Move the cursor down, or up with negative steps."""
        self._cursor = min(max(self._cursor + steps, 0), len(SETTINGS) - 1)
        self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """What it is, what it is set to, and where the frames go."""
        night, status = self.night, self.night.status
        if status is None:
            return [line([(f" {text}", LABEL)], width) for text in without_engine(night)][:height]
        marked = self.has_class("-chosen")
        rows = [self._fixed("Camera", status.camera or "none", width)]
        rows.append(self._fixed("Target", status.target or "-", width))
        for setting in SETTINGS:
            text = f" {setting.label:<{LABEL_COLUMNS}}", f"{shown(setting, night)}{self._beside(setting)}"
            if marked and setting is self.chosen:
                rows.append(line([(part, CHOSEN) for part in text], width, CHOSEN))
            else:
                rows.append(line([(text[0], LABEL), (text[1], PLAIN)], width))
        rows.append(self._fixed("Folder", shortened(status.folder, width - LABEL_COLUMNS - 2), width))
        return rows[:height]

    def _beside(self, setting: Setting) -> str:
        """What the sensor has of the temperature it is set to, and how hard the cooler works."""
        status = self.night.status
        if status is None:
            return ""
        if setting.word == "temperature" and status.sensor_celsius is not None:
            return f"  now {status.sensor_celsius:.1f} °C"
        if setting.word == "cooler" and status.cooler_percent is not None:
            return f"  {status.cooler_percent:.0f} %"
        return ""

    def _fixed(self, label: str, text: str, width: int) -> Strip:
        return line([(f" {label:<{LABEL_COLUMNS}}", LABEL), (text, DIM if text == "-" else PLAIN)], width)


def without_engine(night: Night) -> list[str]:
    """What is known where no engine tells."""
    if night.gone:
        return ["no engine, no camera"]
    last = max((sub.number for sub in night.subs.values()), default=0)
    known = ["simulated, with simulated masters"]
    return known + ([f"sub {last} exposed for {night.seconds:g} s"] if last and night.seconds else [])


def shortened(path: str, columns: int) -> str:
    """A path whose end fits."""
    return path if len(path) <= columns else f"…{path[1 - max(columns, 2) :]}"
