"""Masters in files: one float32 HDU that Siril, ASTAP and PixInsight understand, with all it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from starwell import __version__
from starwell.calibration.master import NAMES, Master, pixels_sha256, unit_mean
from starwell.errors import MasterMismatch, StorageError
from starwell.files import fits, pictures
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import FULL_SCALE_ADU, Facts, Float32, Kind, Pixels, sampled

_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.BIAS: "Master Bias",
        Kind.DARK: "Master Dark",
        Kind.FLAT: "Master Flat",
        Kind.DARK_FLAT: "Master DarkFlat",
    }
)

_LEARNT: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "noise_adu": ("NOISEADU", "[ADU] noise of one frame, by pairs"),
        "read_noise_adu": ("RDNOISEA", "[ADU] read noise, by pairs"),
        "read_noise_e": ("RDNOISE", "[e-] read noise, by pairs"),
        "egain": ("EGAIN", "[e-/ADU] of this file"),
        "egain_error": ("EGAINERR", "[e-/ADU] uncertainty of EGAIN"),
        "dark_adu": ("DARKADU", "[ADU] median dark charge"),
        "hot_pixels": ("HOTCOUNT", "pixels above HOTADU"),
        "hot_adu": ("HOTADU", "[ADU] above the bias, where HOTCOUNT begins"),
    }
)
_COMMENTS: Mapping[str, str] = {
    **dict(_LEARNT.values()),
    "EGAINSRC": "where EGAIN is from: measured or header",
    "ADUSHIFT": "low bits that carry nothing",
    "SATURATE": "[ADU] saturated from here on",
    "LEVELADU": "[ADU] median level",
    "NCOMBINE": "frames combined",
    "CLIPSIG": "clipped beyond this many sigmas of the noise",
    "CLIPREF": "frames whose median is clipped about",
    "CLIPFRAC": "fraction of samples clipped",
    "PIXSHA": "sha256 of the pixels (float32, big-endian)",
    "SRCSHA": "sha256 of the frames' names and pixels",
    "CALFRAME": "what was taken off the frames",
}


def keywords_for(master: Master) -> dict[str, Any]:
    """Everything that is written about a master."""
    keywords = keywords_of(master.facts)
    keywords |= {"IMAGETYP": _TYPES[master.kind], "BUNIT": "ADU", "SWCREATE": f"starwell {__version__}"}
    keywords |= {"ADUSHIFT": master.facts.adu_shift, "SATURATE": master.facts.saturation_adu}
    keywords |= {"NCOMBINE": master.combined, "STACKCNT": master.combined, "LEVELADU": master.level_adu}
    keywords |= {"PEDESTAL": master.facts.header.get("PEDESTAL")} if master.kind is not Kind.FLAT else {}
    keywords |= master.keywords
    if "EGAIN" in keywords:
        keywords["EGAINSRC"] = "header"
    for name, figure in master.learnt.items():
        keywords[_LEARNT[name][0]] = round(figure) if name == "hot_pixels" else figure
    if "egain" in master.learnt:
        keywords["EGAINSRC"] = "measured"
    return keywords | {"PIXSHA": master.sha256}


def write(master: Master, path: Path, *, overwrite: bool = False) -> Master:
    """Write a master as float32 FITS in ADU (a flat at its level); returns it with its file and sha256."""
    pixels = master.adu_pixels
    named = replace(master, file=path, sha256=pixels_sha256(pixels))
    fits.write(path, pixels, keywords_for(named), overwrite=overwrite, comments=_COMMENTS)
    return named


def export16(master: Master, path: Path, *, overwrite: bool = False) -> None:
    """Write a master with 16 bits for other capture programs: FITS, or PNG (.png), rounded, 0..65535 ADU."""
    whole = np.rint(np.clip(np.nan_to_num(master.adu_pixels), 0, FULL_SCALE_ADU)).astype(np.uint16)
    if path.suffix.lower() == ".png":
        rows: Pixels = np.moveaxis(whole, 0, -1) if whole.ndim == 3 else whole
        pictures.write_png(path, rows, overwrite=overwrite)
        return
    keywords = {name: value for name, value in keywords_for(master).items() if name != "PIXSHA"}
    fits.write(path, whole, keywords, overwrite=overwrite, comments=_COMMENTS)


def is_master(facts: Facts) -> bool:
    """Whether a file says of itself that it is a master or a stack."""
    return any(flag == "master" or flag.startswith("stack of") for flag in facts.flags)


def read(path: Path, kind: Kind | None = None) -> Master:
    """A master of any program; kind is what it is to be used as, and may be left to a master that says it.

    Raises MasterMismatch for a master of another kind, StorageError or FileDamaged as files.open_frame.
    """
    frame = open_frame(path)
    facts, header = frame.facts, frame.facts.header
    said = facts.exposure.kind
    if is_master(facts) and kind is not None and not _serves(said, kind):
        raise MasterMismatch(
            f"{path.name} is a master {NAMES[said]}, not a master {NAMES[kind]}: give it where it belongs."
        )
    if kind is None and said is Kind.LIGHT:
        raise MasterMismatch(f"{path.name} does not say which kind of master it is.")
    kind = kind or said
    pixels = np.asarray(frame.pixels, dtype=np.float32)
    del frame  # wider or narrower pixels than these are done with
    sha256 = pixels_sha256(pixels)
    level = float(np.nanmedian(sampled(pixels)))
    facts = replace(
        facts, adu_shift=_whole(header.get("ADUSHIFT")), exposure=replace(facts.exposure, kind=kind)
    )
    if kind is Kind.FLAT:
        pixels = _owned(pixels)
        unit_mean(pixels, facts, pixels)
    return Master(
        kind,
        pixels,
        facts,
        level,
        _whole(header.get("NCOMBINE", header.get("STACKCNT"))),
        MappingProxyType({name: header[name] for name in _COMMENTS if name in header}),
        MappingProxyType(_learnt(header)),
        tuple(_remarks(path.name, facts, kind, sha256)),
        path,
        sha256,
    )


def _owned(pixels: Float32) -> Float32:
    """The pixels of a frame that is gone, to be written over."""
    try:
        pixels.flags.writeable = True
    except ValueError:  # they lie in what a library keeps as it is
        return pixels.copy()
    return pixels


def _remarks(name: str, facts: Facts, kind: Kind, sha256: str) -> Iterator[str]:
    """What is odd about a file used as a master of this kind, whose pixels have this sum."""
    if not is_master(facts):
        yield f"{name} does not say that it is a master: it is used as one."
    if str(facts.header.get("PIXSHA", sha256)) != sha256:
        yield f"{name} was changed by another program since starwell wrote it."
    if facts.header.get("CALFRAME") == "NONE" and kind is Kind.FLAT:
        yield f"{name} is an uncalibrated flat: its offset weakens the correction."


def check_target(path: Path, *, overwrite: bool) -> None:
    """Fail before the work, not after it: StorageError when path exists or its folder does not."""
    if path.exists() and not overwrite:
        raise StorageError(f"{path} exists already: choose another name, or say --overwrite.")
    if not path.parent.is_dir():
        raise StorageError(f"{path} cannot be written: there is no folder {path.parent}.")


def _serves(said: Kind, wanted: Kind) -> bool:
    # many programs know no dark flats; a header without a usable type reads as a light
    return said in {wanted, Kind.LIGHT} or {said, wanted} == {Kind.DARK, Kind.DARK_FLAT}


def _learnt(header: Mapping[str, Any]) -> dict[str, float]:
    measured = header.get("EGAINSRC") == "measured"
    return {
        name: float(header[keyword])
        for name, (keyword, _) in _LEARNT.items()
        if isinstance(header.get(keyword), int | float) and (measured or name != "egain")
    }


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0
