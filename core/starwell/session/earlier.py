"""The newest stack of a target from another night: what tonight's is framed on."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path

from starwell.session.night_files import safe

_MAPS = ".maps.fits"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def earlier_stack(data: Path | None, tonight: Path, target: str | None) -> Path | None:
    """In DATE/TARGET/stacks below data, or below tonight's own data folder; None where there is none.

    The latest night's newest file counts, whatever its filter: it shows the field.
    """
    names, roots = [safe(target)], [data]
    if _DATE.fullmatch(tonight.parent.name):
        names.append(tonight.name)
        roots.append(tonight.parents[1])
    for name in dict.fromkeys(filter(None, names)):
        found = [path for root in dict.fromkeys(roots) if root for path in _stacks(root, name, tonight)]
        if found:
            return max(found, key=lambda path: (path.parents[2].name, path.stat().st_mtime))
    return None


def _stacks(root: Path, name: str, tonight: Path) -> Iterator[Path]:
    for path in root.glob(f"*/{glob.escape(name)}/stacks/*.fits"):
        dated = _DATE.fullmatch(path.parents[2].name) is not None
        hidden = path.name.startswith(".") or path.name.endswith(_MAPS)
        if dated and not hidden and path.parents[1].absolute() != tonight.absolute():
            yield path
