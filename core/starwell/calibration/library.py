"""Masters from wherever they are: a finished master, a folder of frames combined on the spot, or a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from starwell.calibration.low_light_file import read_low_light
from starwell.calibration.low_light_matching import check_low_light
from starwell.calibration.master import NAMES, Master, Masters, constant_bias
from starwell.calibration.masters import build
from starwell.calibration.matching import check
from starwell.calibration.stored import is_master, read
from starwell.calibration.typed import names
from starwell.errors import MasterMismatch, MasterMissing
from starwell.files.frames import gather, open_facts
from starwell.frame import Facts, Kind
from starwell.threads import Threads

Source = str | Path | float
"""A master's file, a folder of raw frames or of one master, or for a bias a level in ADU."""


def load_masters(
    *,
    bias: Source | None = None,
    dark: Source | None = None,
    flat: Source | None = None,
    dark_flat: Source | None = None,
    low_light: str | Path | None = None,
    lights: Facts | None = None,
    scale_dark: bool = False,
) -> Masters:
    """The masters asked for, checked against the lights when their facts are given.

    Folders of raw frames are combined in memory; raw flats lose the dark flat or the bias. Raises
    MasterMismatch, MasterMissing, or the StorageError of a file that cannot be read. What fits but not
    quite is in the masters' warnings.
    """
    of_bias = None if bias is None else open_master(bias, Kind.BIAS)
    of_dark_flat = None if dark_flat is None else open_master(dark_flat, Kind.DARK_FLAT)
    # files are read side by side; folders of frames, which take memory, one after the other
    files = all(isinstance(source, str | Path) and Path(source).is_file() for source in (dark, flat))
    readings = (
        partial(_if_any, dark, Kind.DARK, bias=of_bias),
        partial(_if_any, flat, Kind.FLAT, bias=of_bias, dark_flat=of_dark_flat),
    )
    of_dark, of_flat = Threads(2 if files else 1).each(lambda reading: reading(), readings)
    of_low_light = None if low_light is None else read_low_light(Path(low_light))
    masters = Masters(of_bias, of_dark, of_flat, of_dark_flat, low_light=of_low_light)
    warnings = [warning for master in masters.all() for warning in master.warnings]
    warnings += of_low_light.warnings if of_low_light is not None else ()
    if lights is not None:
        warnings += check(masters, lights, scale_dark=scale_dark) + check_low_light(masters, lights)
    return replace(masters, warnings=tuple(dict.fromkeys(warnings)))


def _if_any(
    source: Source | None, kind: Kind, *, bias: Master | None, dark_flat: Master | None = None
) -> Master | None:
    return None if source is None else open_master(source, kind, bias=bias, dark_flat=dark_flat)


def open_master(
    source: Source | Iterable[Path],
    kind: Kind,
    *,
    bias: Master | None = None,
    dark_flat: Master | None = None,
) -> Master:
    """One master from a file, a folder, several files, or for a bias a number.

    Raises MasterMissing for a single raw frame, MasterMismatch for several masters in one folder.
    """
    if isinstance(source, str | float | int):
        level = _number(source)
        if level is not None:
            if kind is not Kind.BIAS:
                raise MasterMismatch(
                    f"{level:g} is a number: only a bias can be one, a {NAMES[kind]} cannot."
                )
            return constant_bias(level)
    paths = (
        [Path(source)] if isinstance(source, str | Path) else [Path(str(path)) for path in _listed(source)]
    )
    files = gather(paths)
    finished = [path for path in files if is_master(open_facts(path))] if len(files) <= _FEW else []
    if len(files) == 1:
        return _single(files[0], kind, finished=bool(finished))
    if len(finished) == len(files):
        raise MasterMismatch(f"{names(files)} are all finished masters: name the {NAMES[kind]} to use.")
    return build(kind, files, bias=bias, dark_flat=dark_flat)


_FEW = 16  # a folder with more frames than this holds raw ones; their headers are read by the survey anyway


def _single(path: Path, kind: Kind, *, finished: bool) -> Master:
    if not finished and open_facts(path).exposure.kind is not Kind.LIGHT:
        raise MasterMissing(
            f"{path.name} is a single {NAMES[kind]} frame, not a master: its noise would go into every "
            "light. Give a folder of at least 3 frames, or a master."
        )
    return read(path, kind)


def _number(source: str | float) -> float | None:
    """The level a source states; None when it is a path, which wins where a file is called like a number."""
    if isinstance(source, str) and Path(source).exists():
        return None
    try:
        return float(source)
    except ValueError:
        return None


def _listed(source: Iterable[Path] | float) -> list[Path]:
    return [] if isinstance(source, int | float) else list(source)
