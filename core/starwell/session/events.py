"""What happened, in order: the only thing a screen, a journal or a client ever sees of the pipeline.

Every event is small, frozen and serialisable; pictures travel in PreviewReady only, which nobody keeps.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from starwell.kinds import Kind


class State(StrEnum):
    """What the engine is doing."""

    IDLE = "idle"
    COOLING = "cooling"
    EXPOSING = "exposing"
    PAUSED = "paused"
    STOPPING = "stopping"
    FAULT = "fault"


class Event(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Something that happened; stack names the stack it happened to, where there may be several."""

    stack: str = ""


class ExposureStarted(Event, frozen=True, kw_only=True):
    """The shutter opened on frame `number`, for `seconds`."""

    number: int
    seconds: float
    kind: Kind = Kind.LIGHT


class FrameTaken(Event, frozen=True, kw_only=True):
    """Frame `number` is safe: on disk under `file`, or still in memory where file is None.

    level_adu: its median; full_adu: where its pixels are saturated.
    """

    number: int
    kind: Kind = Kind.LIGHT
    file: str | None = None
    seconds: float | None = None
    celsius: float | None = None
    level_adu: float | None = None
    full_adu: float | None = None


class SubMeasured(Event, frozen=True, kw_only=True):
    """What was measured on one sub; sky and sigma in ADU of the file, and in e- through egain.

    In colour sky and sigma are the green channel's. sky_e is the light above the dark, per pixel and sub;
    None where no master took the pedestal off. sensor_sigma_e is what the sensor model allows for that sky.
    """

    number: int
    stars: int
    fwhm_px: float | None
    hfr_px: float | None
    eccentricity: float | None
    angle_deg: float | None
    sky_adu: float
    sigma_adu: float
    sky_e: float | None
    sigma_e: float
    sensor_sigma_e: float | None
    saturated_fraction: float = 0.0
    warnings: tuple[str, ...] = ()


class SubStacked(Event, frozen=True, kw_only=True):
    """Sub `number` is in the stack; a restored sub is stacked again."""

    number: int
    weight: float
    transparency: float
    matched: int
    rms_px: float
    dx_px: float
    dy_px: float
    angle_deg: float
    masked_fraction: float = 0.0
    trails: int = 0
    stacked: int
    livetime_s: float | None


class SubRejected(Event, frozen=True, kw_only=True):
    """Sub `number` is not in the stack, and why; `by_hand` when the user said so."""

    number: int
    reason: str
    detail: str = ""
    by_hand: bool = False
    alarm: bool = False


class StackStarted(Event, frozen=True, kw_only=True):
    """The stack begins, or begins again about a better reference, from the subs so far."""

    reference: int
    file: str | None
    why: str


class StackMeasured(Event, frozen=True, kw_only=True):
    """The noise reached against what physics allows, in e- per pixel of one sub's exposure.

    Told after every stacked sub; of every eighth where subs are stacked again from disk, and of the last.

    ideal_e is a single sub's noise over sqrt(effective subs) and, in colour, of the samples that a plane has
    per pixel of the stack; reached_e are half-stack figures at blocks of 1, 2, 4, 8 and 16 px, each times
    its block size, so that white noise reads the same in all. efficiency_percent is taken at
    efficiency_block_px, 16 for full-size colour: finer blocks are flattered by interpolation, and what it
    still takes there is put back where it is known. fixed_e: the
    fixed pattern's floor. n_star: subs until it outweighs the noise. gain_percent: by how much less noise as
    many subs again would leave. masters_e: what the masters add. efficiency_error_percent: the standard error
    of the efficiency, which is read from so many blocks where the stack is fully covered. None: not known.
    """

    stacked: int
    effective_subs: float
    livetime_s: float | None
    sub_sigma_e: float
    ideal_e: float
    reached_e: tuple[float, ...]
    efficiency_percent: float | None
    efficiency_block_px: int = 8
    egain: float
    read_noise_e: float
    sky_e: float | None
    origin: str
    fixed_e: float | None = None
    n_star: float | None = None
    gain_percent: float | None = None
    masters_e: float | None = None
    efficiency_error_percent: float | None = None

    @property
    def efficiency(self) -> str:
        """With its error, `101 ± 2 %`; a dash until there is one."""
        percent, error = self.efficiency_percent, self.efficiency_error_percent
        if percent is None:
            return "-"
        return f"{percent:.0f} %" if error is None else f"{percent:.0f} ± {max(error, 1):.0f} %"


class PreviewReady(Event, frozen=True, kw_only=True):
    """A stretched picture: `rows`×`columns` grey, or RGB when channels is 3, uint8, row-major.

    of: stack, sub, calibrated, masked, coverage, reference, focus or corners. full_rows, full_columns: pixels
    of the whole of it; 0: not known. crop: x, y, width, height in those pixels; None shows all of it. scale:
    pixels of the sensor to one of the picture. stretch, points: as `Stretch` has them; empty: not known.
    """

    of: str
    number: int
    rows: int
    columns: int
    channels: int
    pixels: bytes
    full_rows: int = 0
    full_columns: int = 0
    crop: tuple[int, int, int, int] | None = None
    scale: float = 1.0
    stretch: str = ""
    points: tuple[float, float] = (0.0, 0.0)


class HistogramReady(Event, frozen=True, kw_only=True):
    """How many pixels of a picture lie in each of at most 128 equal steps from low_adu to high_adu.

    The values are linear, in ADU; what lies beyond counts in the first and in the last step. black_adu,
    white_adu: what the picture shows black and white, where one was drawn.
    """

    of: str
    number: int
    low_adu: float
    high_adu: float
    counts: tuple[int, ...]
    black_adu: float | None = None
    white_adu: float | None = None


class FocusMeasured(Event, frozen=True, kw_only=True):
    """How sharp a frame of the focus loop is: medians over its stars, smallest best.

    low_px, high_px: the shortest stretch that holds 95 % of the last HFRs. corners: HFR by thirds of the
    frame, row by row; None where there are no stars. peak_adu, saturated: of the star that is shown.
    """

    number: int
    seconds: float
    stars: int
    hfr_px: float | None
    fwhm_px: float | None
    best_hfr_px: float | None
    low_px: float | None
    high_px: float | None
    corners: tuple[float | None, ...]
    peak_adu: float | None
    saturated: bool
    celsius: float | None


class BoxMeasured(Event, frozen=True, kw_only=True):
    """The target box on the stack: its mean light above the sky around it, and the noise of that, in e-."""

    x: int
    y: int
    width: int
    height: int
    snr: float | None
    signal_e: float | None
    noise_e: float | None
    stacked: int


class Noted(Event, frozen=True, kw_only=True):
    """A line for the log: the user's own, or what was done; at: the wall clock's word, ISO 8601."""

    text: str
    at: str


class StackSaved(Event, frozen=True, kw_only=True):
    """The stack is on disk."""

    file: str
    stacked: int
    livetime_s: float | None


class ControlChanged(Event, frozen=True, kw_only=True):
    """A camera control reads back a new value; low and high: what it takes, where that is known."""

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None


class StateChanged(Event, frozen=True, kw_only=True):
    """The engine does something else now."""

    state: State
    why: str = ""


class QualityAdvice(Event, frozen=True, kw_only=True):
    """Something a user should know, and the next best step."""

    subject: str
    advice: str
    number: int | None = None
    serious: bool = False


class CameraFault(Event, frozen=True, kw_only=True):
    """The camera misbehaved; what was done about it."""

    message: str
    recovered: bool


class SeriesFinished(Event, frozen=True, kw_only=True):
    """The series is over: how many subs were stacked, rejected, unreadable."""

    stacked: int
    rejected: int
    unreadable: int = 0
    livetime_s: float | None = None
    why: str = ""
