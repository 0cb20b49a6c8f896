"""The library: a folder of masters, one FITS file each, named from its facts.

What is known of the files is kept in an index beside them, which is derived from their headers and made
anew whenever a file's time or size has changed: the files are the truth.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from starwell.calibration.library_find import Found, find
from starwell.calibration.library_groups import sort_frames
from starwell.calibration.library_kept import Kept, kept_master
from starwell.calibration.library_maps import PLAIN, KeptMap, copy_map, kept_map
from starwell.calibration.library_open import open_found, open_kept
from starwell.calibration.master import Master
from starwell.calibration.stored import read, write
from starwell.calibration.typed import names
from starwell.config import library_folder, write_whole
from starwell.errors import FileDamaged, MasterError, StorageError
from starwell.files.atomic import replacing, writing
from starwell.frame import Facts, Kind

_INDEX = ".index.json"


class _Line(msgspec.Struct):
    """One file of the index. kept: None for a file that is no master."""

    mtime_ns: int
    size: int
    kept: Kept | None


class _Index(msgspec.Struct):
    version: int = 1
    files: dict[str, _Line] = {}


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a master that was to be added. file: where it is now; already: it was there before."""

    name: str
    file: Path | None
    already: bool = False
    refused: str = ""
    warnings: tuple[str, ...] = ()


class Library:
    """The masters in a folder, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def here() -> Library:
        """The library in use, as config.toml or the system says; PlanError for a faulty config.toml."""
        return Library(library_folder())

    def kept(self) -> list[Kept]:
        """The masters in the library, by name; a file that cannot be read is left out."""
        index = self._read_index()
        lines: dict[str, _Line] = {}
        for path in self._files():
            stat = path.stat()
            line = index.files.get(path.name)
            if line is None or (line.mtime_ns, line.size) != (stat.st_mtime_ns, stat.st_size):
                line = _Line(stat.st_mtime_ns, stat.st_size, _master_in(path))
            lines[path.name] = line
        if lines != index.files:
            # a library that cannot be written to is read all the same
            with contextlib.suppress(StorageError):
                write_whole(self.folder / _INDEX, msgspec.json.encode(_Index(files=lines)))
        here = str(self.folder)
        return [
            msgspec.structs.replace(kept, files=(f"{here}/{name}",))
            for name, line in lines.items()
            if (kept := line.kept) is not None
        ]

    def maps(self) -> list[KeptMap]:
        """The low-light maps in the library, by name."""
        return [found for path in self._files() if (found := kept_map(path)) is not None]

    def find(self, kind: Kind, lights: Facts) -> Found:
        """The master of this kind for lights of these facts; MasterMissing explains the closest."""
        return find(kind, lights, self.kept())

    def open(self, kind: Kind, lights: Facts) -> Master:
        """The same with its pixels."""
        kept = self.kept()
        return open_found(find(kind, lights, kept), kept, lights)

    def add(self, places: Iterable[Path], *, kind: Kind | None = None) -> list[Added]:
        """Copy finished masters here, and build those that raw frames in these files and folders make.

        kind: what they are, whatever their headers say. A file that is here already is never replaced; what
        cannot be built is refused by itself, and the others go on. StorageError for a path that is not
        there, DiskFull without room.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        found = sort_frames(places, kind=kind)
        # Dark flats and biases first: flats need them.
        order = [Kind.BIAS, Kind.DARK_FLAT, Kind.DARK, Kind.FLAT]
        added = [
            self._add(kept, kind, found.kept)
            for kept in sorted(found.kept, key=lambda kept: order.index(kept.kind))
        ]
        added += [self._add_map(path) for path in found.maps]
        passed: dict[str, list[Path]] = {}
        for path, why in found.passed_by.items():
            passed.setdefault(why, []).append(path)
        return added + [Added(names(paths), None, refused=why) for why, paths in passed.items()]

    def _add(self, kept: Kept, kind: Kind | None, beside: Sequence[Kept]) -> Added:
        try:
            if kept.finished:
                master = read(Path(kept.files[0]), kind or kept.kind)
            else:
                master = open_kept(kept, (*beside, *self.kept()))
        except MasterError as error:
            return Added(kept.name, None, refused=str(error))
        mine = _identity(kept, master.sha256)
        same = next((k for k in self.kept() if k.sha and _identity(k, k.sha) == mine), None)
        if same is not None:
            return Added(kept.name, Path(same.files[0]), already=True)
        path = self.folder / file_name(kept, master)
        if path.exists():
            return Added(kept.name, path, already=True)
        source = Path(kept.files[0])
        if kept.finished and kept.sha and kind in (None, kept.kind) and source.suffix.lower() in PLAIN:
            with replacing(path) as stream, source.open("rb") as original:
                shutil.copyfileobj(original, stream)
        else:
            write(master, path)
        return Added(kept.name, path, warnings=master.warnings)

    def _add_map(self, path: Path) -> Added:
        try:
            file, already, warnings = copy_map(path, self.folder)
        except (MasterError, FileDamaged) as error:
            return Added(path.name, None, refused=str(error))
        return Added(path.name, file, already, warnings=warnings)

    def _files(self) -> list[Path]:
        try:
            return sorted(
                path
                for path in self.folder.iterdir()
                if path.suffix.lower() in PLAIN and not path.name.startswith(".")
            )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"The library {self.folder} cannot be read: {error.strerror}.") from error

    def _read_index(self) -> _Index:
        try:
            index = msgspec.json.decode((self.folder / _INDEX).read_bytes(), type=_Index)
        except (OSError, msgspec.DecodeError):
            return _Index()
        return index if index.version == _Index().version else _Index()


def file_name(kept: Kept, master: Master) -> str:
    """`Dark_ASI1600MM_60s_g100_o50_-10.0C_20261119_n30_1a2b3c4d.fits`; what is not known is left out."""
    parts = [
        kept.kind.value,
        re.sub(r"[^A-Za-z0-9]+", "-", kept.camera or "").strip("-")[:40],
        re.sub(r"[^A-Za-z0-9]+", "-", kept.filter or "").strip("-")[:20],
        f"{kept.seconds:g}s" if kept.seconds is not None and kept.kind is not Kind.BIAS else "",
        f"g{kept.gain:g}" if kept.gain is not None else "",
        f"o{kept.offset:g}" if kept.offset is not None else "",
        f"{kept.celsius:.1f}C" if kept.celsius is not None else "",
        f"bin{kept.bin}" if kept.bin > 1 else "",
        f"{kept.roi.x}-{kept.roi.y}" if kept.roi else "",
        f"rot{kept.rotation:g}" if kept.rotation is not None and kept.kind is Kind.FLAT else "",
        f"{kept.date:%Y%m%d}" if kept.date is not None else "",
        f"n{master.combined}" if master.combined else "",
        master.sha256[:8],
    ]
    return "_".join(part for part in parts if part) + ".fits"


def _identity(kept: Kept, sha: str) -> tuple[object, ...]:
    """What makes two files the same master: pixels, and everything it is matched by."""
    celsius = None if kept.celsius is None else round(kept.celsius, 1)
    shot = (kept.gain, kept.offset, kept.seconds, celsius, kept.bin, kept.roi, kept.filter)
    return (sha, kept.kind, kept.camera, kept.rotation, *shot)


def _master_in(path: Path) -> Kept | None:
    try:
        return kept_master(path)
    except StorageError:
        return None
