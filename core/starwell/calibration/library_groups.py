"""Raw calibration frames sorted by what they are, each group the frames of one master."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from starwell.calibration.library_kept import Kept, kept_frames, kept_master, rotation_of, telescope_of
from starwell.calibration.low_light_file import is_low_light
from starwell.calibration.stored import is_master
from starwell.calibration.survey import LEAST_FRAMES, SPREAD_CELSIUS
from starwell.errors import StorageError
from starwell.files.dates import night_date
from starwell.files.frames import FRAME_SUFFIXES, natural, open_facts
from starwell.frame import Facts, Kind

_FOLDERS: Mapping[str, Kind] = {
    "dark": Kind.DARK,
    "flat": Kind.FLAT,
    "bias": Kind.BIAS,
    "biase": Kind.BIAS,
    "offset": Kind.BIAS,
    "darkflat": Kind.DARK_FLAT,
    "flatdark": Kind.DARK_FLAT,
    "light": Kind.LIGHT,
}
_NIGHT_FOLDERS = ("stacks", "checkpoint")


@dataclass(frozen=True, slots=True)
class Sorted:
    """Masters at hand among files: finished ones, and groups of frames; what was passed by, and why.

    maps: low-light maps.
    """

    kept: tuple[Kept, ...] = ()
    passed_by: Mapping[Path, str] = field(default_factory=dict)
    maps: tuple[Path, ...] = ()


def folder_kind(folder: Path) -> Kind | None:
    """What the frames in a folder are by its name, or by that of the folder it lies in (flats/L)."""
    for part in (folder.name, folder.parent.name):
        kind = _FOLDERS.get(re.sub(r"[^a-z]", "", part.casefold()).removesuffix("s"))
        if kind is not None:
            return kind
    return None


def kind_of(path: Path, facts: Facts) -> Kind:
    """What a frame is: as its header says; where that is Light or Dark, its folder's name may know better."""
    said, named = facts.exposure.kind, folder_kind(path.parent)
    if said is Kind.LIGHT and named is not None:
        return named
    if said is Kind.DARK and named is Kind.DARK_FLAT:
        return named
    return said


def calibration_folders(place: Path) -> list[Path]:
    """The folders of darks, flats, biases and dark flats of the night this file or folder of lights is of."""
    folder = place if place.is_dir() else place.parent
    found: dict[Path, None] = {}
    for near in (folder, folder.parent, folder.parent.parent):
        found |= dict.fromkeys(_named(near))
        if near.name.casefold() in ("lights", "light"):
            found |= dict.fromkeys(_named(near.parent))
            break
        if found:
            break
    return list(found)


def _named(folder: Path) -> list[Path]:
    try:
        inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []  # whoever reads the lights reports it
    names = {path: re.sub(r"[^a-z]", "", path.name.casefold()).removesuffix("s") for path in inner}
    return [path for path, name in names.items() if _FOLDERS.get(name, Kind.LIGHT) is not Kind.LIGHT]


def frames_below(places: Iterable[Path]) -> list[Path]:
    """All frames among files and in folders, however deep, in natural order; a night's stacks are passed by.

    StorageError for a path that is not there.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.exists():
            raise StorageError(f"There is no file or folder {place}.")
        if place.is_file():
            found[place] = None
            continue
        for path in place.rglob("*"):
            inside = path.relative_to(place).parts
            hidden = any(part.startswith(".") or part in _NIGHT_FOLDERS for part in inside)
            # latest.png and its like lie beside a night's folders and are no frames
            picture = path.suffix.lower() == ".png"
            if path.name.lower().endswith(FRAME_SUFFIXES) and not hidden and not picture and path.is_file():
                found[path] = None
    return sorted(found, key=natural)


def sort_frames(places: Iterable[Path], *, kind: Kind | None = None) -> Sorted:
    """What masters these files and folders hold or would make; kind: what they are, whatever they say."""
    facts: dict[Path, Facts] = {}
    passed_by: dict[Path, str] = {}
    for path in frames_below(places):
        try:
            facts[path] = open_facts(path)
        except StorageError as error:
            passed_by[path] = str(error)
    found = sort_known(facts, kind=kind)
    return replace(found, passed_by={**passed_by, **found.passed_by})


def sort_known(found: Mapping[Path, Facts], *, kind: Kind | None = None) -> Sorted:
    """The same for files whose headers were read."""
    kept: list[Kept] = []
    passed_by: dict[Path, str] = {}
    groups: dict[tuple[object, ...], list[Facts]] = {}
    maps = tuple(path for path, facts in found.items() if is_low_light(facts))
    for path, facts in found.items():
        if path in maps:
            continue
        mine = kind or kind_of(path, facts)
        if is_master(facts):
            master = kept_master(path)
            kept += [master] if master is not None else []
            if master is None:
                passed_by[path] = "a stack, or a master that does not say of which kind"
        elif mine is Kind.LIGHT:
            passed_by[path] = "lights make no master"
        else:
            groups.setdefault(_key(mine, facts), []).append(facts)
    for (mine_kind, *_), members in groups.items():
        assert isinstance(mine_kind, Kind)
        for part in _by_temperature(mine_kind, members):
            files = [f.source for f in part if f.source is not None]
            if len(part) < LEAST_FRAMES:
                few = f"{len(part)} of one kind and setting are too few: a master takes {LEAST_FRAMES}"
                passed_by |= dict.fromkeys(files, few)
            else:
                kept.append(kept_frames(mine_kind, part))
    return Sorted(tuple(kept), passed_by, maps)


def _key(kind: Kind, facts: Facts) -> tuple[object, ...]:
    shot = facts.exposure
    common = (kind, facts.camera, facts.shape, shot.bin, shot.roi, facts.bayer, shot.gain, shot.offset)
    folder = facts.source.parent if facts.source is not None else None
    if kind is not Kind.FLAT:
        seconds = None if kind is Kind.BIAS or shot.seconds is None else round(shot.seconds, 4)
        return (*common, seconds, folder)
    angle = rotation_of(facts)
    turned = None if angle is None else round(angle)
    night = None if facts.started is None else night_date(facts.started)
    return (*common, shot.filter, telescope_of(facts), turned, night, folder)


def _by_temperature(kind: Kind, members: Sequence[Facts]) -> list[list[Facts]]:
    """Frames whose temperatures lie within what one master may span; flats and what is not known together."""
    if kind is Kind.FLAT:
        return [list(members)]
    unknown = [facts for facts in members if facts.sensor_celsius is None]
    known = sorted(
        (facts for facts in members if facts.sensor_celsius is not None),
        key=lambda facts: (facts.sensor_celsius or 0.0, natural(facts.source or Path())),
    )
    parts: list[list[Facts]] = [unknown] if unknown else []
    for facts in known:
        here = parts[-1] if parts and parts[-1] is not unknown else None
        span = SPREAD_CELSIUS if here is None else (facts.sensor_celsius or 0) - (here[0].sensor_celsius or 0)
        if here is not None and span < SPREAD_CELSIUS:
            here.append(facts)
        else:
            parts.append([facts])
    return [sorted(part, key=lambda facts: natural(facts.source or Path())) for part in parts]
