"""What sensor analyses found, kept per camera and setting in one file, and looked up for every stack."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from starwell.config import home, write_whole
from starwell.errors import StorageError
from starwell.frame import Facts
from starwell.sensor.model import Origin, SensorModel
from starwell.sensor.photon_transfer import Analysis

MOST_ERROR = 0.05
"""An e-/ADU less certain than this is not kept: a header checked against the subs is as good."""

_SERIALS = ("SERIAL", "SERIALNO", "CAMSN", "CAMSER", "SERNUM", "CCDSN")
_NO_MODE = {"", "default", "normal", "none", "0"}


class Setting(Struct, frozen=True, kw_only=True):
    """What a measurement holds for. gain, offset: the camera's; None where it has no such setting."""

    camera: str
    serial: str | None = None
    gain: float | None = None
    offset: float | None = None
    bin: int = 1
    mode: str | None = None
    adu_shift: int = 0

    @staticmethod
    def of(facts: Facts) -> Setting:
        """The setting of frames with these facts; an unknown camera is an empty name."""
        serials = (facts.header.get(keyword) for keyword in _SERIALS)
        serial = next((str(value).strip() for value in serials if value not in (None, "")), None)
        mode = str(facts.header.get("READOUTM") or "").strip()
        return Setting(
            camera=(facts.camera or "").strip(),
            serial=serial,
            gain=facts.exposure.gain,
            offset=facts.exposure.offset,
            bin=facts.exposure.bin,
            mode=None if mode.casefold() in _NO_MODE else mode,
            adu_shift=facts.adu_shift,
        )

    def same_camera(self, other: Setting) -> bool:
        """The same model, and not known to be two of them."""
        if not self.camera or plain_name(self.camera) != plain_name(other.camera):
            return False
        return self.serial is None or other.serial is None or self.serial == other.serial

    def fits(self, other: Setting) -> bool:
        """Whether e-/ADU and read noise are the same there; they do not depend on the offset."""
        alike = self.gain == other.gain and self.bin == other.bin and self.mode == other.mode
        return self.same_camera(other) and alike and self.adu_shift == other.adu_shift


class Known(Struct, frozen=True, kw_only=True):
    """One analysis, as it is kept. egain and bias_adu are native: values of the file over 2**adu_shift."""

    setting: Setting
    egain: float
    read_noise_e: float
    egain_error: float = 0.0
    full_well_e: float | None = None
    prnu_percent: float | None = None
    dsnu_e: float | None = None
    linearity_percent: float | None = None
    dark_e_per_s: float | None = None
    dark_celsius: float | None = None
    bias_adu: float | None = None
    measured: datetime | None = None

    def model(self, facts: Facts) -> SensorModel:
        """The noise model of frames with these facts, in their file's ADU."""
        step = float(1 << self.setting.adu_shift)
        return SensorModel(self.egain / step, self.read_noise_e, step, facts.saturation_adu, Origin.MEASURED)


class _Kept(Struct):
    sensors: list[Known] = []


def known_of(analysis: Analysis, facts: Facts) -> Known | None:
    """What is worth keeping of an analysis; None without a camera's name or where e-/ADU is uncertain."""
    setting = Setting.of(facts)
    egain, error = analysis.egain, analysis.egain_error or 0.0
    if not setting.camera or egain is None or analysis.read_noise_e is None or error > MOST_ERROR * egain:
        return None
    return Known(
        setting=setting,
        egain=egain,
        egain_error=error,
        read_noise_e=analysis.read_noise_e,
        full_well_e=analysis.full_well_e,
        prnu_percent=analysis.prnu_percent,
        dsnu_e=analysis.dsnu_e,
        linearity_percent=analysis.linearity_percent,
        dark_e_per_s=analysis.dark.e_per_s,
        dark_celsius=facts.sensor_celsius,
        bias_adu=analysis.bias_adu,
        measured=datetime.now(UTC).replace(microsecond=0),
    )


class SensorStore:
    """The file of all analyses; a damaged one is set aside and begun anew."""

    def __init__(self, state: Path | None = None) -> None:
        self.path = (home().state if state is None else state) / "sensors.json"

    def keep(self, known: Known) -> None:
        """Put this in the place of an older analysis of the same setting; StorageError or DiskFull."""
        others = [one for one in self.all() if one.setting != known.setting]
        content = msgspec.json.format(msgspec.json.encode(_Kept([*others, known])), indent=2)
        write_whole(self.path, content)

    def all(self) -> list[Known]:
        """Every analysis kept."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Kept).sensors
        except FileNotFoundError:
            return []
        except msgspec.DecodeError:
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_suffix(".damaged"))
            return []
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}.") from error

    def of_camera(self, facts: Facts) -> list[Known]:
        """The analyses of this camera at this binning and mode, by gain."""
        mine = Setting.of(facts)
        same = [
            one
            for one in self.all()
            if one.setting.same_camera(mine) and (one.setting.bin, one.setting.mode) == (mine.bin, mine.mode)
        ]
        return sorted(same, key=lambda one: (one.setting.gain or 0.0, one.setting.offset or 0.0))

    def known(self, facts: Facts) -> Known | None:
        """The analysis that holds for frames with these facts: of their offset, else the newest."""
        mine = Setting.of(facts)
        fitting = [one for one in self.all() if one.setting.fits(mine)]
        oldest = datetime.min.replace(tzinfo=UTC)
        return max(
            fitting,
            key=lambda one: (one.setting.offset == mine.offset, one.measured or oldest),
            default=None,
        )


def find(facts: Facts, state: Path | None = None) -> SensorModel | None:
    """The measured noise model for frames with these facts (their adu_shift set), None where there is none.

    A store that cannot be read stops no stack: the source a stack names for its e-/ADU shows it.
    """
    try:
        known = SensorStore(state).known(facts)
    except StorageError:
        return None
    return None if known is None else known.model(facts)


def plain_name(name: str) -> str:
    """A camera's name without what programs add to it: `ZWO CCD ASI1600MM` is `ZWO ASI1600MM`."""
    return re.sub(r"[^a-z0-9]|\bccd\b", "", name.casefold())
