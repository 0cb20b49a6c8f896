"""A night as data: what is exposed, until when, and what is done afterwards.

`plan_file` reads one from TOML, `plan_walk` yields its exposures, `plan_ends` says when to stop, and
`plan_outlook` how long it takes and what dawn will cut.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from starwell.frame import Exposure, Kind, Roi


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a plan; None everywhere means: not said here, the rig or the camera decides."""


class Dawn(StrEnum):
    """How bright the morning may get; values as a plan spells them."""

    ASTRONOMICAL = "dawn"
    NAUTICAL = "nautical-dawn"
    CIVIL = "civil-dawn"
    SUNRISE = "sunrise"


class SkyUnit(StrEnum):
    """What a limit of the sky's brightness is given in: ADU of a raw sub, or e- per pixel and second."""

    ADU = "adu"
    ELECTRONS = "e/s"


class AtClock(Part, frozen=True, kw_only=True, tag="clock"):
    """Until the local clock shows this time for the first time after the night began."""

    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{self.hour:02d}:{self.minute:02d}"


class AtDawn(Part, frozen=True, kw_only=True, tag="dawn"):
    """Until this dawn; needs a site."""

    dawn: Dawn = Dawn.ASTRONOMICAL

    def __str__(self) -> str:
        return str(self.dawn)


class BeforeMeridian(Part, frozen=True, kw_only=True, tag="meridian"):
    """Until so many minutes before the target crosses the meridian; needs a site and coordinates."""

    minutes: float = 0.0

    def __str__(self) -> str:
        return f"meridian-{self.minutes:g}m" if self.minutes else "meridian"


class SkyAbove(Part, frozen=True, kw_only=True, tag="sky"):
    """Until the sky is brighter than this."""

    level: float
    unit: SkyUnit

    def __str__(self) -> str:
        return f"sky>{self.level:g}{self.unit}"


End = AtClock | AtDawn | BeforeMeridian | SkyAbove


class Series(Part, frozen=True, kw_only=True):
    """Frames of one kind; count None: until an end comes. exposure_s None: estimated before each (flats)."""

    kind: Kind = Kind.LIGHT
    exposure_s: float | None = None
    count: int | None = None
    filter: str | None = None
    gain: float | None = None
    offset: float | None = None
    bin: int = 1
    roi: Roi | None = None

    @property
    def exposure(self) -> Exposure:
        """What the camera is asked for."""
        return Exposure(self.kind, self.exposure_s, self.gain, self.offset, self.bin, self.roi, self.filter)


class MeridianHold(Part, frozen=True, kw_only=True):
    """Wait while the target crosses the meridian, so that the mount can flip."""

    before_min: float = 1.0
    after_min: float = 5.0


class Target(Part, frozen=True, kw_only=True):
    """What is pointed at, its series in order or interleaved; J2000 degrees.

    pattern: the filters in the order in which they take turns, a filter as often as it is named; empty: one
    series after the other.
    """

    series: tuple[Series, ...]
    name: str = ""
    ra_deg: float | None = None
    dec_deg: float | None = None
    pattern: tuple[str, ...] = ()
    ends: tuple[End, ...] = ()
    hold: MeridianHold | None = None


class Cooling(Part, frozen=True, kw_only=True):
    """How cold the sensor is kept, and how fast it gets there and back."""

    celsius: float
    ramp_c_per_min: float = 2.0
    tolerance_c: float = 0.5
    warm_up: bool = True


class Settle(Part, frozen=True, kw_only=True):
    """Guiding has settled when it stayed within px (guide camera) for seconds; given up after timeout_s."""

    px: float = 1.5
    seconds: float = 8.0
    timeout_s: float = 60.0


class Dither(Part, frozen=True, kw_only=True):
    """Move by up to amount_px of the main camera after every `every` lights.

    command: does it instead of PHD2; {px}, {arcsec} and {ra_only} are filled in.
    """

    amount_px: float = 5.0
    every: int = 1
    ra_only: bool = False
    settle: Settle = Settle()
    command: str | None = None


class Guiding(Part, frozen=True, kw_only=True):
    """Where PHD2 listens; guide_arcsec_per_px where PHD2 itself does not know it."""

    host: str = "localhost"
    port: int = 4400
    guide_arcsec_per_px: float | None = None


class MasterPaths(Part, frozen=True, kw_only=True):
    """Masters or folders, `auto` for the library; a bias may also be a level in ADU, low_light is a map."""

    bias: str | None = None
    dark: str | None = None
    flat: str | None = None
    dark_flat: str | None = None
    low_light: str | None = None


def named_of(masters: MasterPaths) -> dict[str, str]:
    """Those that are named, by their keys in a plan."""
    return {name: path for name, path in msgspec.structs.asdict(masters).items() if path is not None}


class Flats(Part, frozen=True, kw_only=True):
    """Flats after the lights, filter by filter, each with dark flats of equal exposure at once.

    exposure_s None: estimated before each for `level` of full scale, between shortest_s and longest_s.
    filters, gain, offset, bin unset: those of the lights.
    """

    count: int = 20
    exposure_s: float | None = None
    level: float = 0.5
    shortest_s: float = 0.2
    longest_s: float = 5.0
    filters: tuple[str, ...] = ()
    gain: float | None = None
    offset: float | None = None
    bin: int | None = None
    dark_flats: bool = True


class Darks(Part, frozen=True, kw_only=True):
    """Darks after the lights, for each exposure, gain, offset, binning and window of theirs."""

    count: int = 20
    exposures_s: tuple[float, ...] = ()
    gain: float | None = None
    offset: float | None = None
    bin: int | None = None


class Biases(Part, frozen=True, kw_only=True):
    """Bias frames after the lights, for each gain, offset, binning and window of theirs."""

    count: int = 50
    exposure_s: float = 0.0
    gain: float | None = None
    offset: float | None = None
    bin: int | None = None


class After(StrEnum):
    """What follows the lights, in the order given."""

    FLATS = "flats"
    DARKS = "darks"
    BIASES = "biases"
    WARM_UP = "warm-up"


class Alerts(Part, frozen=True, kw_only=True):
    """A command per kind of event, and for which kinds the terminal's bell rings."""

    commands: dict[str, str] = {}
    bell: tuple[str, ...] = ()
    timeout_s: float = 30.0


class StackOptions(Part, frozen=True, kw_only=True):
    """How the lights are stacked as they come."""

    live: bool = True
    kernel: Literal["lanczos", "cubic", "bilinear"] = "cubic"
    reject: Literal["noise-model", "none"] = "noise-model"
    colour: Literal["full", "super-pixel", "mono"] = "full"
    unit: Literal["full-scale", "electron"] = "full-scale"


class RigOverrides(Part, frozen=True, kw_only=True):
    """What tonight's rig has other than the configured one."""

    telescope: str | None = None
    focal_mm: float | None = None
    aperture_mm: float | None = None
    filters: tuple[str, ...] = ()


class Site(Part, frozen=True, kw_only=True):
    """Where the telescope stands; east and north positive."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float | None = None


class Resume(StrEnum):
    """Whether an engine that a service starts after a power loss goes on by itself."""

    ASK = "ask"
    AUTO = "auto"


class Plan(Part, frozen=True, kw_only=True):
    """One night. controls: camera settings that outlast an exposure, by the names of camera.protocol."""

    targets: tuple[Target, ...]
    file: str = ""
    camera: str | None = None
    folder: str | None = None
    timezone: str | None = None
    resume: Resume = Resume.ASK
    ends: tuple[End, ...] = ()
    after: tuple[After, ...] = ()
    rig: RigOverrides = RigOverrides()
    site: Site | None = None
    controls: dict[str, float] = {}
    cooling: Cooling | None = None
    dither: Dither | None = None
    guiding: Guiding | None = None
    masters: MasterPaths = MasterPaths()
    flats: Flats = Flats()
    darks: Darks = Darks()
    biases: Biases = Biases()
    alerts: Alerts = Alerts()
    stack: StackOptions = StackOptions()
