"""One master that is at hand, by its header alone: a finished one, or frames that would make one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from starwell.calibration.master import NAMES, Master
from starwell.calibration.stored import is_master
from starwell.files.frames import open_facts
from starwell.files.header import Header
from starwell.files.keywords import said
from starwell.frame import FULL_SCALE_ADU, Bayer, Exposure, Facts, Kind, Roi

_NOTHING = np.empty((0, 0), np.float32)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A master at hand. files: one finished master, or the raw frames that make it; frames 0: unknown.

    noise_adu: of one frame, by pairs; level_adu: its median. focal_mm and rotation in degrees as the
    headers say. date: when the first frame was started.
    """

    kind: Kind
    shape: tuple[int, ...]
    files: tuple[str, ...]
    finished: bool
    camera: str | None = None
    telescope: str | None = None
    focal_mm: float | None = None
    gain: float | None = None
    offset: float | None = None
    seconds: float | None = None
    celsius: float | None = None
    bin: int = 1
    roi: Roi | None = None
    filter: str | None = None
    rotation: float | None = None
    bayer: Bayer | None = None
    adu_shift: int | None = None
    saturation_adu: float = FULL_SCALE_ADU
    egain: float | None = None
    frames: int = 0
    date: datetime | None = None
    noise_adu: float | None = None
    read_noise_e: float | None = None
    level_adu: float | None = None
    sha: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call it in a message."""
        first = Path(self.files[0])
        if self.finished:
            return first.name
        return f"{_place(first.parent)} ({len(self.files)} frames)"

    @property
    def facts(self) -> Facts:
        """What matching is done on."""
        exposure = Exposure(self.kind, self.seconds, self.gain, self.offset, self.bin, self.roi, self.filter)
        told = {"ROTATANG": self.rotation, "TELESCOP": self.telescope}
        return Facts(
            self.shape,
            exposure,
            camera=self.camera,
            started=self.date,
            sensor_celsius=self.celsius,
            bayer=self.bayer,
            adu_shift=self.adu_shift or 0,
            saturation_adu=self.saturation_adu,
            egain=self.egain,
            focal_mm=self.focal_mm,
            header=MappingProxyType({word: value for word, value in told.items() if value is not None}),
        )

    @property
    def outline(self) -> Master:
        """The master without its pixels: enough to be matched."""
        keywords = {} if self.adu_shift is None else {"ADUSHIFT": self.adu_shift}
        file = Path(self.files[0]) if self.finished else None
        return Master(
            self.kind, _NOTHING, self.facts, self.level_adu or 0.0, self.frames, keywords, file=file
        )

    @property
    def noise_e(self) -> float | None:
        """Noise of the master itself, e- per pixel; of a flat at the level it was shot at."""
        if self.noise_adu is None or self.egain is None or not self.frames:
            return None
        return self.noise_adu * self.egain / sqrt(self.frames)

    @property
    def noise_percent(self) -> float | None:
        """Noise of a flat against its level."""
        if self.kind is not Kind.FLAT or self.noise_adu is None or not self.frames or not self.level_adu:
            return None
        return 100 * self.noise_adu / sqrt(self.frames) / self.level_adu

    def age_days(self, at: datetime | None = None) -> float | None:
        """Days from the first of its frames until then, or until now; negative before it was shot."""
        if self.date is None:
            return None
        return ((at or datetime.now(UTC)) - self.date).total_seconds() / 86400

    def listed(self, at: datetime | None = None) -> dict[str, Any]:
        """What `starwell library list --json` says of it."""
        age, noise, percent = self.age_days(at), self.noise_e, self.noise_percent
        return {
            "kind": NAMES[self.kind],
            "camera": self.camera,
            "gain": self.gain,
            "offset": self.offset,
            "seconds": self.seconds,
            "celsius": self.celsius,
            "bin": self.bin,
            "roi": self.roi,
            "width": self.shape[-1],
            "height": self.shape[-2],
            "filter": self.filter,
            "rotation": self.rotation,
            "frames": self.frames,
            "date": self.date,
            "age_days": None if age is None else round(age, 2),
            "noise_e": None if noise is None else round(noise, 4),
            "noise_percent": None if percent is None else round(percent, 4),
            "file": self.files[0],
            "sha": self.sha,
            "warnings": self.warnings,
        }


def _place(folder: Path) -> str:
    """A folder by the last names of its path, from the night's on: `night1/darks`, `night1/flats/L`."""
    deep = folder.parent.name.casefold() in ("flats", "flat", "darks", "biases", "darkflats")
    return "/".join(folder.parts[-3 if deep else -2 :])


def rotation_of(facts: Facts) -> float | None:
    """The rotator's angle in degrees as the frame's header has it."""
    angle: float | None = said(Header(facts.header, {}), "rotation_deg")
    return angle


def telescope_of(facts: Facts) -> str | None:
    """The telescope's name as the frame's header has it."""
    name: str | None = said(Header(facts.header, {}), "telescope")
    return name


def kept_master(path: Path) -> Kept | None:
    """A finished master by its header; None for a file that is none, or does not say of which kind.

    StorageError or FileDamaged as files.open_facts.
    """
    facts = open_facts(path)
    if not is_master(facts) or facts.exposure.kind is Kind.LIGHT:
        return None
    header = facts.header
    warnings = []
    if header.get("CALFRAME") == "NONE" and facts.exposure.kind is Kind.FLAT:
        warnings.append(f"{path.name} is an uncalibrated flat: its offset weakens the correction.")
    shift, frames = _number(header.get("ADUSHIFT")), _number(header.get("NCOMBINE", header.get("STACKCNT")))
    return msgspec.structs.replace(
        _kept(facts, facts.exposure.kind, (path,), finished=True),
        adu_shift=None if shift is None else int(shift),
        frames=int(frames or 0),
        noise_adu=_number(header.get("NOISEADU")),
        read_noise_e=_number(header.get("RDNOISE")),
        level_adu=_number(header.get("LEVELADU")),
        sha=str(header.get("PIXSHA", "")),
        warnings=tuple(warnings),
    )


def kept_frames(kind: Kind, found: Sequence[Facts]) -> Kept:
    """Raw frames of one kind and setting as the master they would make; their sources are its files."""
    celsius = [f.sensor_celsius for f in found if f.sensor_celsius is not None]
    seconds = [f.exposure.seconds for f in found if f.exposure.seconds is not None]
    dates = sorted(f.started for f in found if f.started is not None)
    files = tuple(f.source for f in found if f.source is not None)
    first = _kept(found[0], kind, files, finished=False)
    return msgspec.structs.replace(
        first,
        celsius=fmean(celsius) if celsius else None,
        seconds=fmean(seconds) if seconds else None,
        date=dates[0] if dates else None,
        frames=len(files),
    )


def _kept(facts: Facts, kind: Kind, files: Sequence[Path], *, finished: bool) -> Kept:
    shot = facts.exposure
    return Kept(
        kind=kind,
        shape=facts.shape,
        files=tuple(str(path) for path in files),
        finished=finished,
        camera=facts.camera and facts.camera.strip(),
        telescope=telescope_of(facts),
        focal_mm=facts.focal_mm,
        gain=shot.gain,
        offset=shot.offset,
        seconds=shot.seconds,
        celsius=facts.sensor_celsius,
        bin=shot.bin,
        roi=shot.roi,
        filter=shot.filter and shot.filter.strip() if kind is Kind.FLAT else None,
        rotation=rotation_of(facts),
        bayer=facts.bayer,
        saturation_adu=facts.saturation_adu,
        egain=facts.egain,
        date=facts.started,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
