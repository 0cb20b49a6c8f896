"""Low-light maps in files: FITS with deficits, thresholds where there are any, and where all comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from starwell import __version__
from starwell.calibration.low_light import LowLight
from starwell.calibration.low_light_levels import Ratios
from starwell.calibration.low_light_matching import fits_setting
from starwell.calibration.low_light_mixture import Mixture
from starwell.calibration.master import pixels_sha256
from starwell.errors import FileDamaged, MasterMismatch, MasterMissing, StorageError
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Facts, Frame

KIND = "LOWLIGHT"
"""The value of SWMASTER in a low-light map."""
_COMMENTS = {
    "SWMASTER": "a low-light map: add it to calibrated subs, in e-",
    "LEVELS": "how many levels of dim flats",
    "NOISEE": "[e-] error of a pixel's deficit before it was shrunk",
    "COLDPIX": "pixels that lose charge",
    "EGAIN": "[e-/ADU] of the dim flats' files",
    "EGAINSRC": "where EGAIN is from: measured or header",
    "RDNOISE": "[e-] noise of one dark, by pairs",
    "NDARK": "frames of the dark",
    "DARKNAME": "the dark taken off the dim flats",
    "DARKSHA": "sha256 of its pixels",
    "FLATNAME": "the bright flat",
    "FLATSHA": "sha256 of its pixels",
    "SRCSHA": "sha256 of the dim flats' names and pixels",
    "PIXSHA": "sha256 of the deficits (float32, big-endian)",
    "ADUSHIFT": "low bits that carry nothing",
}


def write_low_light(low: LowLight, path: Path, *, overwrite: bool = False) -> LowLight:
    """Write a map; returns it with its file and sha256. StorageError or DiskFull as files.fits."""
    named = replace(low, file=path, sha256=pixels_sha256(low.deficit_e))
    maps: dict[str, Any] = {"DEFICIT": low.deficit_e}
    if low.threshold_e is not None:
        maps["THRESHOLD"] = low.threshold_e
    fits.write_maps(path, maps, keywords_for(named), overwrite=overwrite, comments=_COMMENTS, unit="electron")
    return named


def keywords_for(low: LowLight) -> dict[str, Any]:
    """Everything that is written about a map."""
    keywords = keywords_of(low.facts)
    keywords |= {"IMAGETYP": "Low-Light Map", "SWMASTER": KIND, "BUNIT": "electron"}
    keywords |= {"SWCREATE": f"starwell {__version__}", "ADUSHIFT": low.facts.adu_shift}
    keywords |= {"EGAIN": low.egain, "LEVELS": len(low.levels_e), "NOISEE": low.noise_e}
    for n, (level, frames, ratios) in enumerate(zip(low.levels_e, low.frames, low.ratios, strict=True), 1):
        keywords |= {f"LEVELE{n}": level, f"NFLAT{n}": frames}
        keywords |= {f"LARGE{n}": ratios.large, f"ROWS{n}": ratios.rows, f"COLS{n}": ratios.columns}
    for n, (level, mix) in enumerate(zip(low.level_e, low.found, strict=True), 1):
        keywords |= {f"ATLEVEL{n}": level, f"COLDPRT{n}": mix.share, f"WIDTH{n}": mix.width}
        keywords |= {f"TOPE{n}": mix.top_e}
    return keywords | dict(low.keywords) | {"COLDPIX": int(np.count_nonzero(low.cold)), "PIXSHA": low.sha256}


def is_low_light(facts: Facts) -> bool:
    """Whether a file says of itself that it is a low-light map."""
    return facts.header.get("SWMASTER") == KIND


def find_low_light(folder: Path, lights: Facts) -> Path:
    """The newest map of a folder that was made at the lights' setting; MasterMissing where none was."""
    found = []
    for path in sorted(folder.glob("*.fits")) if folder.is_dir() else ():
        try:
            facts = fits.read_facts(path)
        except StorageError:
            continue
        if is_low_light(facts) and fits_setting(facts, lights):
            found.append((path.stat().st_mtime_ns, path))
    if not found:
        raise MasterMissing(
            f"No low-light map in {folder} was made at the lights' camera, gain, offset, exposure, binning "
            "and temperature: make one of dim flats with `starwell master low-light`, or do without."
        )
    return max(found)[1]


def read_low_light(path: Path) -> LowLight:
    """A map as `write_low_light` left it. MasterMismatch for another file, FileDamaged where figures lack."""
    frame = fits.read(path)
    if not is_low_light(frame.facts):
        raise MasterMismatch(
            f"{path.name} is no low-light map: make one of dim flats with `starwell master low-light`."
        )
    try:
        return _low_light(path, frame)
    except (KeyError, TypeError, ValueError) as fault:
        raise FileDamaged(
            f"{path} is a low-light map whose {fault} is missing or no number: make it anew."
        ) from None


def _low_light(path: Path, frame: Frame) -> LowLight:
    """The map in this file; KeyError, TypeError or ValueError where a figure is missing or is none."""
    header, deficit = frame.facts.header, np.asarray(frame.pixels, np.float32)
    sha256 = pixels_sha256(deficit)
    changed = f"{path.name} was changed by another program since starwell wrote it."
    levels = int(header["LEVELS"])
    channels = sum(f"ATLEVEL{n}" in header for n in (1, 2, 3))

    def figures(key: str, count: int) -> tuple[float, ...]:
        return tuple(float(header[f"{key}{n + 1}"]) for n in range(count))

    return LowLight(
        deficit,
        np.asarray(fits.read_map(path, "THRESHOLD"), np.float32) if levels > 1 else None,
        figures("ATLEVEL", channels),
        figures("LEVELE", levels),
        tuple(int(header[f"NFLAT{n + 1}"]) for n in range(levels)),
        float(header["NOISEE"]),
        tuple(map(Mixture, *(figures(key, channels) for key in ("COLDPRT", "WIDTH", "TOPE")))),
        tuple(map(Ratios, *(figures(key, levels) for key in ("LARGE", "ROWS", "COLS")))),
        replace(frame.facts, adu_shift=int(header["ADUSHIFT"])),
        float(header["EGAIN"]),
        MappingProxyType({key: header[key] for key in _COMMENTS if key in header}),
        () if str(header.get("PIXSHA", sha256)) == sha256 else (changed,),
        path,
        sha256,
    )
