"""What the engine needs of any camera: ZWO, simulated, replayed or watched.

Errors it must expect: Aborted (we asked for it; no frame, no retry), Transient (this exposure failed, retries
included; the next may succeed), CameraGone (does not come back by itself), ControlRefused (our fault; never
retried), CameraBusy and CameraNotFound on opening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import NamedTuple, Protocol, runtime_checkable

from starwell.frame import Bayer, Exposure, Frame


class Control(StrEnum):
    """A setting that outlasts an exposure; gain, offset, bin and ROI belong to the Exposure."""

    TARGET_CELSIUS = "target_celsius"
    COOLER = "cooler"
    FAN = "fan"
    DEW_HEATER = "dew_heater"
    USB_BANDWIDTH = "usb_bandwidth"
    HIGH_SPEED = "high_speed"
    GAIN = "gain"
    OFFSET = "offset"


@dataclass(frozen=True, slots=True)
class ControlRange:
    """What values a control takes, and what it is good for."""

    control: Control
    low: float
    high: float
    default: float
    step: float = 1.0
    unit: str = ""
    writable: bool = True


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What a camera is. uid survives re-plugging: a serial number where there is one, never an index.

    width, height: of the whole sensor at bin 1. adc_bits: of the converter, as the maker says. roi_step:
    width and height of a window are multiples of these, after binning.
    """

    driver: str
    uid: str
    name: str
    width: int
    height: int
    pixel_um: float | None = None
    bayer: Bayer | None = None
    adc_bits: int | None = None
    bins: tuple[int, ...] = (1,)
    cooled: bool = False
    usb3: bool | None = None
    roi_step: tuple[int, int] = (8, 2)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a camera says of itself at one moment; None where it does not know."""

    sensor_celsius: float | None = None
    cooler_percent: float | None = None
    target_celsius: float | None = None
    cooler_on: bool | None = None
    dropped: int | None = None


class Availability(NamedTuple):
    """Whether a driver can work here, and in a sentence which library it uses or what to install."""

    usable: bool
    why: str


Progress = Callable[[float], None]
"""Told the seconds exposed so far, now and then."""


@runtime_checkable
class Camera(Protocol):
    """One camera. One thread exposes; telemetry, get and set may be called by another at any time."""

    @property
    def facts(self) -> CameraFacts:
        """What it is."""

    def open(self) -> None:
        """Take the camera; CameraNotFound, CameraBusy, CameraGone. Puts what bends linearity to neutral."""

    def close(self) -> None:
        """Let it go; may be called twice, never raises."""

    def controls(self) -> Mapping[Control, ControlRange]:
        """What can be set, and how far."""

    def get(self, control: Control) -> float:
        """Read a control back; ControlRefused where there is none."""

    def set(self, control: Control, value: float) -> float:
        """Set a control and return what the camera really took; ControlRefused out of range."""

    def telemetry(self) -> Telemetry:
        """Cheap, and legal during an exposure."""

    def expose(self, exposure: Exposure, cancel: Event, progress: Progress | None = None) -> Frame:
        """One frame, whose facts hold the settings read back; Aborted soon after cancel is set."""

    def stream(self, exposure: Exposure, cancel: Event) -> Iterator[Frame]:
        """Frames until cancelled: video, or files as they come."""


class Driver(Protocol):
    """A kind of camera."""

    @property
    def name(self) -> str:
        """As in `--camera NAME:UID`."""

    def available(self) -> Availability:
        """Whether it can work here, and why not; never raises, never logs."""

    def discover(self) -> list[CameraFacts]:
        """What is connected, without opening anything that was not chosen."""

    def connect(self, uid: str | None = None) -> Camera:
        """The camera of this uid, or the only one, not yet opened; CameraNotFound."""
