"""Pane 1: what the camera is set to, and what can be changed."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, line
from starwell_tui.settings import Setting, settings_of, shown
from starwell_tui.theme import BLUE, GROUND, style
from starwell_tui.view import View

CHOSEN = style(GROUND, BLUE)
LABEL_COLUMNS = 10
RATE_FROM_S, SLOWEST = 20.0, 0.1
"""No °C/min from a shorter time, nor below this."""


class Camera(Pane):
    """Labels and values; the cursor is on one that can be changed."""

    def __init__(self, night: Night, view: View) -> None:
        super().__init__(night, id="camera", classes="pane")
        self.view = view
        self.border_title = "1 Camera"

    @property
    def chosen(self) -> Setting:
        """The setting under the cursor."""
        settings = settings_of(self.night)
        return settings[min(self.view.setting, len(settings) - 1)]

    def choose(self, steps: int) -> None:
        """Move the cursor down, or up with negative steps."""
        self.view.setting = min(max(self.view.setting + steps, 0), len(settings_of(self.night)) - 1)

    def row_of(self, setting: Setting) -> Region | None:
        """Where the setting's row is on the screen; None where it cannot be seen."""
        settings = settings_of(self.night)
        if self.night.status is None or setting not in settings or not self.is_on_screen:
            return None
        row = settings.index(setting) + 1 - self._top(len(settings), self.content_size.height)
        area = self.content_region
        return Region(area.x, area.y + row, area.width, 1) if 0 <= row < area.height else None

    def strips(self, width: int, height: int) -> list[Strip]:
        """What it is, what it is set to, and where the frames go."""
        night, status = self.night, self.night.status
        if status is None:
            return [line([(f" {text}", LABEL)], width) for text in without_engine(night)][:height]
        settings = settings_of(night)
        rows = [self._fixed("Camera", status.camera or "none", width)]
        rows += [self._row(setting, width) for setting in settings]
        rows.append(self._fixed("Sensor", sensor(night), width))
        rows.append(self._fixed("Masters", status.masters or "none", width))
        rows.append(self._fixed("Folder", shortened(status.folder, width - LABEL_COLUMNS - 2), width))
        top = self._top(len(settings), height)
        return rows[top : top + height]

    def _top(self, settings: int, height: int) -> int:
        """The first row that is seen: the cursor's always is."""
        return min(max(self.view.setting + 2 - height, 0), max(settings + 4 - height, 0))

    def _row(self, setting: Setting, width: int) -> Strip:
        text = f" {setting.label:<{LABEL_COLUMNS}}", f"{shown(setting, self.night)}{self._beside(setting)}"
        if self.view.pane == "camera" and setting is self.chosen:
            return line([(part, CHOSEN) for part in text], width, CHOSEN)
        return line([(text[0], LABEL), (text[1], PLAIN)], width)

    def _beside(self, setting: Setting) -> str:
        """What the sensor has of the temperature it is set to, and how hard the cooler works."""
        status = self.night.status
        if status is None:
            return ""
        if setting.word == "temperature" and status.sensor_celsius is not None:
            return f"  now {status.sensor_celsius:.1f} °C"
        if setting.word == "cooler" and status.cooler_percent is not None:
            rate = per_minute(self.night)
            ramp = "" if rate is None else f"  {rate:+.1f} °C/min"
            return f"  {status.cooler_percent:.0f} %{ramp}"
        return ""

    def _fixed(self, label: str, text: str, width: int) -> Strip:
        return line([(f" {label:<{LABEL_COLUMNS}}", LABEL), (text, DIM if text == "-" else PLAIN)], width)


def sensor(night: Night) -> str:
    """Its pixels, and what one sees of the sky."""
    status = night.status
    if status is None or not (status.width and status.height):
        return "-"
    scale = f'  {status.arcsec_per_px:.2f}"/px' if status.arcsec_per_px else ""
    return f"{status.width}x{status.height} px{scale}"


def per_minute(night: Night) -> float | None:
    """How fast the sensor's temperature changes, °C; None while it stands, or nobody knows."""
    seen = night.temperatures
    if len(seen) < 2 or (taken_s := (seen[-1][0] - seen[0][0]).total_seconds()) < RATE_FROM_S:
        return None
    rate = 60 * (seen[-1][1] - seen[0][1]) / taken_s
    return rate if abs(rate) >= SLOWEST else None


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
