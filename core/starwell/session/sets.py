"""Lights on disk, sorted into the sets that belong into one stack each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from starwell.calibration.library_groups import kind_of
from starwell.calibration.stored import is_master
from starwell.errors import StorageError
from starwell.files.frames import gather, levels_of_set, open_facts, open_frame
from starwell.files.levels import Levels, with_levels
from starwell.frame import Facts, Float32, Frame, Kind
from starwell.heap import keep_heap_small


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read, and its fault."""

    file: Path
    fault: str


@dataclass(frozen=True, slots=True)
class LightSet:
    """The files of one stack, numbered from 1 in natural order of their names.

    facts: those of the first file of the commonest shape, with the levels of the whole set; every: those of
    each file. label tells this set from the others of the same call, and is empty where there is only one.
    """

    label: str
    files: tuple[Path, ...]
    facts: Facts
    levels: Levels
    warnings: tuple[str, ...] = ()
    every: tuple[Facts, ...] = ()

    @property
    def numbers(self) -> range:
        """The numbers of the subs."""
        return range(1, len(self.files) + 1)

    def file(self, number: int) -> Path:
        """The file of a sub."""
        return self.files[number - 1]

    def number_of(self, path: Path) -> int | None:
        """The number of the sub in this file; None for a file of another set."""
        there = path.resolve()
        return next((n for n in self.numbers if self.file(n).resolve() == there), None)

    def facts_by_number(self) -> dict[int, Facts]:
        """The facts of the subs of the set's shape."""
        numbered = zip(self.numbers, self.every, strict=True)
        return {n: replace(f, number=n) for n, f in numbered if f.shape == self.facts.shape}

    def frame(self, number: int, room: Float32 | None = None) -> Frame:
        """Read a sub, into room where there is some; raises StorageError."""
        frame = open_frame(self.file(number), room)
        return Frame(replace(with_levels(frame.facts, self.levels), number=number), frame.pixels)


def light_sets(paths: Iterable[Path | str], *, mix: bool = False) -> tuple[list[LightSet], list[Unreadable]]:
    """Sort lights by filter, exposure and gain; with mix all go into one set.

    A night's folder stands for the lights/ in it. Files whose header cannot be read come back as unreadable.
    Raises StorageError for a path that is not there and for a folder without frames.
    """
    known, unreadable = _read(paths)
    return _sets(known, mix=mix), unreadable


@dataclass(frozen=True, slots=True)
class Given:
    """Files sorted out: lights in their sets, and what else was given with them, to make masters of."""

    sets: list[LightSet]
    others: dict[Path, Facts]
    unreadable: list[Unreadable]


def lights_and_others(paths: Iterable[Path | str], *, mix: bool = False) -> Given:
    """As light_sets, but darks, flats and biases among the files do not go into a stack; nor do stacks."""
    known, unreadable = _read(paths)
    others = {p: f for p, f in known.items() if is_master(f) or kind_of(p, f) is not Kind.LIGHT}
    lights = {path: facts for path, facts in known.items() if path not in others}
    return Given(_sets(lights, mix=mix), others, unreadable)


def _read(paths: Iterable[Path | str]) -> tuple[dict[Path, Facts], list[Unreadable]]:
    keep_heap_small()  # the frames that are looked into come first of all
    known: dict[Path, Facts] = {}
    unreadable: list[Unreadable] = []
    for path in gather(_lights_of(Path(path)) for path in paths):
        try:
            known[path] = open_facts(path)
        except StorageError as error:
            unreadable.append(Unreadable(path, str(error)))
    return known, unreadable


def _lights_of(place: Path) -> Path:
    """A night's folder holds its lights in lights/, beside other frames and the picture of its stack."""
    inner = place / "lights"
    return inner if inner.is_dir() else place


def _sets(known: dict[Path, Facts], *, mix: bool) -> list[LightSet]:
    groups: dict[tuple[object, ...], list[Path]] = {}
    for path, facts in known.items():
        groups.setdefault(() if mix else _key(facts), []).append(path)
    labels = _labels([known[files[0]] for files in groups.values()])
    return [_set(label, files, known) for label, files in zip(labels, groups.values(), strict=True)]


def _key(facts: Facts) -> tuple[object, ...]:
    exposure = facts.exposure
    seconds = None if exposure.seconds is None else round(exposure.seconds, 3)
    return exposure.filter, seconds, exposure.gain


def _labels(firsts: Sequence[Facts]) -> list[str]:
    """What tells the sets apart, and nothing more: `L_60s_g100`, `L`, or nothing for a single set."""
    parts = [
        [facts.exposure.filter or "nofilter" for facts in firsts],
        [f"{facts.exposure.seconds:g}s" if facts.exposure.seconds else "nos" for facts in firsts],
        [f"g{facts.exposure.gain:g}" if facts.exposure.gain is not None else "nogain" for facts in firsts],
    ]
    telling = [part for part in parts if len(set(part)) > 1]
    return ["_".join(words).replace("/", "-") for words in zip(*telling, strict=True)] or [""] * len(firsts)


def _set(label: str, files: list[Path], known: dict[Path, Facts]) -> LightSet:
    shape = Counter(known[path].shape for path in files).most_common(1)[0][0]
    first = next(path for path in files if known[path].shape == shape)
    levels = levels_of_set([path for path in files if known[path].shape == shape])
    warnings = tuple(_warnings(files, known))
    every = tuple(with_levels(known[path], levels) for path in files)
    return LightSet(label, tuple(files), with_levels(known[first], levels), levels, warnings, every)


def _warnings(files: list[Path], known: dict[Path, Facts]) -> Iterable[str]:
    kinds = Counter(known[path].exposure.kind for path in files)
    for kind, count in kinds.items():
        if kind is not Kind.LIGHT:
            yield f"{count} of {len(files)} files say they are of type {kind}; they are stacked as lights."
    patterns = {known[path].bayer for path in files}
    if len(patterns) > 1:
        yield "The files name different Bayer patterns; the first one's is used for all."
