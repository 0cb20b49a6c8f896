"""Low-light maps in the library: kept beside the masters, found by the setting they were made at."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starwell.calibration.library_kept import Kept
from starwell.calibration.low_light import LowLight
from starwell.calibration.low_light_file import is_low_light, read_low_light
from starwell.errors import MasterMismatch, StorageError
from starwell.files.atomic import replacing
from starwell.files.frames import open_facts
from starwell.frame import Facts, Kind

NAME = "low light"
PLAIN = (".fits", ".fit", ".fts")


@dataclass(frozen=True, slots=True)
class KeptMap:
    """A map at hand, by its header. frames: dim flats in all; levels_e: of the sets."""

    file: Path
    facts: Facts
    frames: int
    levels_e: tuple[float, ...]
    noise_e: float | None

    @property
    def kept(self) -> Kept:
        """Its setting, as masters have theirs."""
        shot, facts = self.facts.exposure, self.facts
        return Kept(
            kind=Kind.FLAT,
            shape=facts.shape,
            files=(str(self.file),),
            finished=True,
            camera=facts.camera and facts.camera.strip(),
            gain=shot.gain,
            offset=shot.offset,
            seconds=shot.seconds,
            celsius=facts.sensor_celsius,
            bin=shot.bin,
            roi=shot.roi,
            frames=self.frames,
            date=facts.started,
            sha=str(facts.header.get("PIXSHA", "")),
        )

    def listed(self) -> dict[str, Any]:
        """What `starwell library list --json` says of it; noise_e is that of one pixel's deficit."""
        return {**self.kept.listed(), "kind": NAME, "noise_e": self.noise_e, "levels_e": self.levels_e}


def kept_map(path: Path) -> KeptMap | None:
    """The map in a file, by its header; None for any other file, or one that cannot be read."""
    try:
        facts = open_facts(path)
    except StorageError:
        return None
    if not is_low_light(facts):
        return None
    header = facts.header
    levels = [n for n in range(1, 10) if f"LEVELE{n}" in header]
    noise = header.get("NOISEE")
    return KeptMap(
        path,
        facts,
        sum(int(header.get(f"NFLAT{n}", 0)) for n in levels),
        tuple(float(header[f"LEVELE{n}"]) for n in levels),
        None if noise is None else float(noise),
    )


def copy_map(path: Path, folder: Path) -> tuple[Path, bool, tuple[str, ...]]:
    """Copy a map into the library: where it is, whether it was there already, and warnings.

    FileDamaged for a map that is not whole, MasterMismatch for a packed one, DiskFull without room.
    """
    low = read_low_light(path)
    if path.suffix.lower() not in PLAIN:
        raise MasterMismatch(f"{path.name} is packed: unpack it, then add it.")
    target = folder / _file_name(low)
    if target.exists():
        return target, True, low.warnings
    with replacing(target) as stream, path.open("rb") as original:
        shutil.copyfileobj(original, stream)
    return target, False, low.warnings


def _file_name(low: LowLight) -> str:
    """`LowLight_ASI1600MM_10s_g300_o50_-10.0C_n600_1a2b3c4d.fits`; what is not known is left out."""
    facts, shot = low.facts, low.facts.exposure
    parts = [
        "LowLight",
        re.sub(r"[^A-Za-z0-9]+", "-", facts.camera or "").strip("-")[:40],
        f"{shot.seconds:g}s" if shot.seconds is not None else "",
        f"g{shot.gain:g}" if shot.gain is not None else "",
        f"o{shot.offset:g}" if shot.offset is not None else "",
        f"{facts.sensor_celsius:.1f}C" if facts.sensor_celsius is not None else "",
        f"bin{shot.bin}" if shot.bin > 1 else "",
        f"n{sum(low.frames)}",
        low.sha256[:8],
    ]
    return "_".join(part for part in parts if part) + ".fits"
