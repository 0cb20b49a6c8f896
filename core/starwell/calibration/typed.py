"""What frames' headers call them (IMAGETYP), and whether that may be something else all the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from starwell.calibration.master import NAMES
from starwell.calibration.stored import is_master
from starwell.frame import Facts, Kind

BIAS_SECONDS = 1.0
"""A bias is not exposed longer than this, whatever its header calls it."""

_WORDS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.BIAS: ("bias", "offset", "zero"),
        Kind.DARK: ("dark",),
        Kind.DARK_FLAT: ("dark", "flat"),
        Kind.FLAT: ("flat",),
    }
)


def names(paths: Iterable[Path], most: int = 2) -> str:
    """The files' names, the first few of many."""
    every = [path.name for path in paths]
    if len(every) <= most + 1:
        return ", ".join(every)
    return f"{', '.join(every[:most])} and {len(every) - most} more"


def typed_otherwise(
    kind: Kind, found: Mapping[Path, Facts], *, any_type: bool
) -> tuple[list[str], list[str]]:
    """Faults and warnings about frames whose headers do not call them what they are to be used as.

    any_type: nothing is a fault but a finished master among the frames.
    """
    others: dict[Kind, list[Path]] = {}
    for path, facts in found.items():
        if facts.exposure.kind is not kind and not is_master(facts):
            others.setdefault(facts.exposure.kind, []).append(path)
    faults, warnings = [], []
    for said, members in others.items():
        call = "light, or not at all" if said is Kind.LIGHT else NAMES[said]
        if any_type or _may_be(said, kind, members, found):
            warnings.append(f"{names(members)}: typed {call}, and taken for {NAMES[kind]} frames as asked.")
        else:
            faults.append(
                f"typed {call}, not {NAMES[kind]}: {names(members)} (--any-type if the headers are wrong)"
            )
    combined = [path for path, facts in found.items() if is_master(facts)]
    if combined:
        faults.append(f"already a master or a stack: {names(combined)}")
    return faults, warnings


def _may_be(said: Kind, kind: Kind, members: list[Path], found: Mapping[Path, Facts]) -> bool:
    """Whether frames typed as said may well be of this kind."""
    if {said, kind} == {Kind.DARK, Kind.DARK_FLAT}:
        return True
    if said is Kind.DARK and kind is Kind.BIAS:
        return all((found[path].exposure.seconds or 0) <= BIAS_SECONDS for path in members)
    if said is not Kind.LIGHT:
        return False
    # capture programs call everything Light; lights must not become darks by a slip, so the name has to agree
    return kind is Kind.FLAT or all(
        any(word in f"{path.parent.name}/{path.name}".casefold() for word in _WORDS[kind]) for path in members
    )
