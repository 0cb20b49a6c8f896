"""Where a night's files go, and what they are called."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starwell.errors import StorageError
from starwell.files.atomic import writing
from starwell.files.dates import night_date
from starwell.frame import Exposure, Facts, Kind

FOLDERS = {
    Kind.LIGHT: "lights",
    Kind.DARK: "darks",
    Kind.FLAT: "flats",
    Kind.BIAS: "biases",
    Kind.DARK_FLAT: "darkflats",
}
_BY_FILTER = (Kind.LIGHT, Kind.FLAT)
_NUMBERED = re.compile(r"_(\d{4,})\.fits$")
_PART = re.compile(r"^\..*\.(\d+)-\d+\.part$")
_LONGEST = 60
_MOUNTS = ("/media/", "/run/media/")
"""Below these every folder is a removable disk, or an empty place where one is missing."""


@dataclass(frozen=True, slots=True)
class Night:
    """The folder of one target's night."""

    folder: Path

    def folder_of(self, exposure: Exposure) -> Path:
        """lights[/FILTER], darks, flats[/FILTER], biases or darkflats."""
        folder = self.folder / FOLDERS[exposure.kind]
        shot_through = exposure.filter if exposure.kind in _BY_FILTER else None
        return folder / safe(shot_through) if shot_through else folder

    def path(self, facts: Facts, number: int) -> Path:
        """Where frame `number` goes."""
        return self.folder_of(facts.exposure) / frame_name(facts, number)

    def frames(self, kind: Kind) -> dict[int, Path]:
        """The frames of this kind that are there, by number."""
        found = {}
        for path in sorted((self.folder / FOLDERS[kind]).rglob("*.fits")):
            match = _NUMBERED.search(path.name)
            if match and not path.name.startswith("."):
                found[int(match[1])] = path
        return found

    def taken(self) -> dict[Kind, int]:
        """The highest number of each kind so far; numbers go on from there."""
        return {kind: max(self.frames(kind), default=0) for kind in Kind}

    def stack_path(self, label: str) -> Path:
        """stacks/LABEL.fits."""
        return self.folder / "stacks" / f"{safe(label) or 'stack'}.fits"

    @property
    def latest_picture(self) -> Path:
        """latest.png."""
        return self.folder / "latest.png"

    def prepare(self) -> None:
        """Make the folder, and clear away what dead processes were writing; StorageError."""
        refuse_unmounted(self.folder)
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.rglob(".*.part"):
                match = _PART.match(path.name)
                if match and not _alive(int(match[1])):
                    path.unlink(missing_ok=True)


def night_folder(data: Path, target: str | None, when: datetime | None = None) -> Path:
    """DATA/date of the local noon before/TARGET."""
    return data / night_date(when or datetime.now(UTC)).isoformat() / (safe(target) or "untitled")


def frame_name(facts: Facts, number: int) -> str:
    """`M51_L_60.0s_g100_-10C_20261119T231512_0042.fits`, unknown parts left out; `Dark_…` for other kinds."""
    return f"{'_'.join((*_parts(facts), f'{number:04d}'))}.fits"


def _parts(facts: Facts) -> Iterator[str]:
    shot = facts.exposure
    light = shot.kind is Kind.LIGHT
    yield (safe(facts.target) if light else "") or shot.kind.value
    if shot.filter and shot.kind in _BY_FILTER:
        yield safe(shot.filter)
    if shot.seconds is not None:
        yield f"{_decimal(shot.seconds)}s"
    if shot.gain is not None:
        yield f"g{shot.gain:g}"
    celsius = facts.sensor_celsius if facts.setpoint_celsius is None else facts.setpoint_celsius
    if celsius is not None:
        yield f"{round(celsius)}C"
    if facts.started is not None:
        yield facts.started.astimezone(UTC).strftime("%Y%m%dT%H%M%S")


def _decimal(seconds: float) -> str:
    """At least one digit behind the point, and never an exponent."""
    whole, _, digits = f"{seconds:.6f}".partition(".")
    return f"{whole}.{digits.rstrip('0') or '0'}"


def safe(name: str | None) -> str:
    """A name as a part of a file's name: letters, digits, + - . only, on any file system; empty for none."""
    spelt = unicodedata.normalize("NFC", name or "")
    joined = re.sub(r"[^\w+.\-]+", "_", spelt)
    short = joined.encode()[:_LONGEST].decode(errors="ignore")
    return short.strip("._-")


def refuse_unmounted(folder: Path) -> None:
    """StorageError where a removable disk should be and is not: the frames would fill the system's own."""
    path = os.path.abspath(folder)  # noqa: PTH100 - links are followed by the file system, not here
    if not path.startswith(_MOUNTS):
        return
    there = Path(path)
    while not there.exists():
        there = there.parent
    if there.stat().st_dev == Path("/").stat().st_dev:
        raise StorageError(
            f"{folder} is on a disk that is not mounted: frames would fill the system's own disk. "
            "Mount it, or choose another folder."
        )


def _alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
        return True
    return False
