"""`starwell library`: the masters at hand, what lights still need, and whether all of it fits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from starwell.calibration.library_kept import Kept
from starwell.calibration.library_maps import NAME as NAME_OF_MAP
from starwell.calibration.library_maps import KeptMap
from starwell.calibration.library_shelf import Added, Library
from starwell.calibration.library_survey import survey_masters
from starwell.calibration.master import NAMES
from starwell.cli.library_audit import add_audit, add_need, audit, need
from starwell.errors import MasterMissing
from starwell.frame import Kind

_KINDS = {"bias": Kind.BIAS, "dark": Kind.DARK, "flat": Kind.FLAT, "dark-flat": Kind.DARK_FLAT}
_MAPS = "low-light"
_EPILOG = """\
The library is a folder of finished masters: `library = "…"` in config.toml says where.
`starwell stack --dark auto --flat auto` and plans take masters from it by camera, gain, offset, exposure,
temperature, bin, window and filter, flats by night and rotation too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell library`."""
    parser.epilog = _EPILOG
    doing = parser.add_subparsers(dest="doing", required=True, metavar="list|add|need|audit|where")
    listing = doing.add_parser("list", help="the masters that are kept")
    listing.add_argument("--kind", choices=[*_KINDS, _MAPS], help="only these")
    listing.add_argument("--json", action="store_true", help="for machines")
    adding = doing.add_parser(
        "add", help="keep masters and low-light maps, and build masters that folders of frames make"
    )
    adding.add_argument("frames", nargs="+", type=Path, metavar="FILES|DIR", help="masters, or raw frames")
    adding.add_argument("--kind", choices=_KINDS, help="what they are, whatever their headers say")
    adding.add_argument("--json", action="store_true", help="for machines")
    add_need(doing.add_parser("need", help="which masters lights have, which they need, what noise they add"))
    add_audit(doing.add_parser("audit", help="look at masters and lights before the night"))
    doing.add_parser("where", help="the library's folder")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; 1 where nothing could be added."""
    library = Library.here()
    match arguments.doing:
        case "where":
            print(library.folder)
            return 0
        case "add":
            return _add(library, arguments)
        case "need":
            return need(library, arguments)
        case "audit":
            return audit(library, arguments)
        case _:
            return _list(library, arguments)


def _list(library: Library, arguments: argparse.Namespace) -> int:
    wanted = _KINDS.get(arguments.kind)
    kept = [k for k in library.kept() if wanted is None or k.kind is wanted]
    maps = library.maps() if arguments.kind in (None, _MAPS) else []
    kept = [] if arguments.kind == _MAPS else kept
    if arguments.json:
        rows = [{**k.listed(), "warnings": [r.words for r in survey_masters([k])]} for k in kept]
        rows += [one.listed() for one in maps]
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    if not kept and not maps:
        print(f"{library.folder} holds no masters yet: `starwell library add FILES|DIR` keeps some.")
        return 0
    lines = [_HEAD, *(_row(one) for one in kept), *(_row_of_map(one) for one in maps)]
    widths = [max(len(row[i]) for row in lines) for i in range(len(_HEAD))]
    for row in lines:
        cells = (f"{cell:{'>' if i in _RIGHT else '<'}{widths[i]}}" for i, cell in enumerate(row))
        print("  ".join(cells).rstrip())
    return 0


_HEAD = ["kind", "camera", "exposure", "gain", "offset", "°C", "filter", "frames", "age", "noise", "file"]
_RIGHT = {2, 3, 4, 5, 7, 8, 9}


def _row(kept: Kept) -> list[str]:
    age, noise = kept.age_days(), kept.noise_e
    level = f"{kept.noise_percent:.2g} %" if kept.noise_percent is not None else ""
    return [
        NAMES[kept.kind],
        kept.camera or "?",
        "" if kept.seconds is None else f"{kept.seconds:g} s",
        "" if kept.gain is None else f"{kept.gain:g}",
        "" if kept.offset is None else f"{kept.offset:g}",
        "" if kept.celsius is None else f"{kept.celsius:.1f}",
        kept.filter or "",
        str(kept.frames or "?"),
        "?" if age is None else f"{age:.0f} d",
        level or ("" if noise is None else f"{noise:.2g} e-"),
        Path(kept.files[0]).name,
    ]


def _row_of_map(one: KeptMap) -> list[str]:
    noise = "" if one.noise_e is None else f"{one.noise_e:.2g} e-"
    row = _row(one.kept)
    return [NAME_OF_MAP, *row[1:-2], noise, row[-1]]


def _add(library: Library, arguments: argparse.Namespace) -> int:
    added = library.add(arguments.frames, kind=_KINDS.get(arguments.kind))
    kept = [one for one in added if one.file is not None]
    if arguments.json:
        told = [_told(one) for one in added]
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        for one in kept:
            print(f"{one.name}: {'is there already' if one.already else 'kept'} as {one.file}")
            for warning in one.warnings:
                print(f"warning: {warning}", file=sys.stderr)
        for one in added:
            if one.file is None:
                print(f"passed by: {one.name}: {one.refused}", file=sys.stderr)
    if not kept:
        why = f"{added[0].name}: {added[0].refused.rstrip('.')}" if added else "there are no frames"
        raise MasterMissing(f"Nothing was added to the library: {why}.")
    return 0


def _told(added: Added) -> dict[str, object]:
    return {
        "name": added.name,
        "file": None if added.file is None else str(added.file),
        "already": added.already,
        "refused": added.refused,
        "warnings": added.warnings,
    }
