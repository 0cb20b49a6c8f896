"""`auto`: the masters that belong to each light, from the library and from the folders beside the lights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library import open_master
from starwell.calibration.library_find import Found, find
from starwell.calibration.library_groups import calibration_folders, sort_frames, sort_known
from starwell.calibration.library_kept import Kept
from starwell.calibration.library_open import open_found, open_kept
from starwell.calibration.library_shelf import Library
from starwell.calibration.low_light import LowLight
from starwell.calibration.low_light_file import find_low_light, read_low_light
from starwell.calibration.master import NAMES, Master, Masters
from starwell.config import library_folder
from starwell.errors import MasterError
from starwell.frame import Facts, Frame, Kind
from starwell.session.flat_choice import DustJudge
from starwell.session.light_groups import Group, groups_of
from starwell.session.plan import MasterPaths
from starwell.session.wanted import AUTO, is_automatic, named_masters

WITHOUT = "These lights go without a"
"""How a warning begins that no master of a kind could be chosen."""


def at_hand(
    lights: Iterable[Path], others: Mapping[Path, Facts], library: Library | None = None
) -> list[Kept]:
    """The masters of the library, and those that frames beside these lights hold or would make.

    others: frames given with the lights that are none, with their facts.
    """
    folders: dict[Path, None] = {}
    for place in dict.fromkeys(path if path.is_dir() else path.parent for path in lights):
        folders |= dict.fromkeys(calibration_folders(place))
    beside = [folder for folder in folders if not any(path.is_relative_to(folder) for path in others)]
    kept = (*(library or Library.here()).kept(), *sort_known(others).kept, *sort_frames(beside).kept)
    return list({one.files: one for one in kept}.values())


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The masters of each light, by its number; explained: which they are, in words, once for each set."""

    of: Mapping[int, Masters]
    facts: Mapping[int, Facts]
    explained: tuple[str, ...]

    @property
    def all(self) -> tuple[Masters, ...]:
        """The different sets of masters, in the order of the lights."""
        return tuple(dict.fromkeys(self.of.values()))

    def calibrators(self) -> dict[int, Calibrator]:
        """One calibrator for all lights that share their masters, by the lights' numbers."""
        made: dict[Masters, Calibrator] = {}
        for number, masters in self.of.items():
            if masters not in made:
                made[masters] = Calibrator(masters, self.facts[number])
        return {number: made[masters] for number, masters in self.of.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Lights of a group, the masters they share, and what is to be said of these for these lights."""

    numbers: tuple[int, ...]
    facts: Facts
    masters: Masters
    warnings: tuple[str, ...]
    explained: str


class Chooser:
    """Chooses masters for lights from those at hand; what was opened for one set serves the next.

    go_without: where none fits the lights are left without it, with a warning, instead of refused.
    """

    def __init__(self, wanted: MasterPaths, among: Sequence[Kept], *, go_without: bool = False) -> None:
        self._go_without = go_without
        self._wanted = wanted
        self._among = among
        self._maps: dict[Path, LowLight] = {}
        self._reread: Callable[[int], Frame] = _unread
        self._opened: dict[tuple[object, ...], Master] = {}
        self._flats_opened: dict[tuple[str, ...], Master] = {}
        self._sets: dict[tuple[int, int, int, int], Masters] = {}

    def choose(self, lights: Mapping[int, Facts], reread: Callable[[int], Frame]) -> Chosen:
        """The masters of all lights; MasterMissing says which lights have none, and what to shoot.

        reread: hands out a light by its number, to be asked for its flat where no header tells.
        """
        self._reread = reread
        self._flats_opened, self._sets = {}, {}  # the flats of one filter are of no use to the next
        parts = [part for group in groups_of(lights) for part in self._of_group(group)]
        told: dict[int, list[str]] = {}
        for part in parts:
            told.setdefault(id(part.masters), []).extend(part.warnings)
        whole = {
            id(part.masters): replace(
                part.masters, warnings=tuple(dict.fromkeys((*part.masters.warnings, *told[id(part.masters)])))
            )
            for part in parts
        }
        of = {number: part for part in parts for number in part.numbers}
        return Chosen(
            {number: whole[id(of[number].masters)] for number in lights},
            {number: of[number].facts for number in lights},
            tuple(dict.fromkeys(part.explained for part in parts if part.explained)),
        )

    def _of_group(self, group: Group) -> list[_Part]:
        """A group's masters: one set, or one for each flat that some of its lights show the dust of."""
        warnings: list[str] = []
        words: list[str] = []
        bias = self._bias(group.facts, warnings, words)
        dark = self._dark(group.facts, bias, warnings, words)
        base = Masters(bias=bias, dark=dark, low_light=self._low_light(group.facts, words))
        if self._wanted.flat is None:
            return [self._part(group, group.numbers, base, None, warnings, words)]
        if self._wanted.flat != AUTO:
            flat = self._named(Kind.FLAT, self._wanted.flat, bias)
            return [self._part(group, group.numbers, base, flat, warnings, words)]
        try:
            found = find(Kind.FLAT, group.facts, self._among)
            split = [
                (mine, numbers, self._flat(mine.kept)) for mine, numbers in self._flats(group, found, base)
            ]
        except MasterError as error:
            self._without(Kind.FLAT, error, warnings)
            return [self._part(group, group.numbers, base, None, warnings, words)]
        return [
            self._part(group, numbers, base, flat, [*warnings, *mine.warnings], [*words, mine.explained])
            for mine, numbers, flat in split
        ]

    def _low_light(self, lights: Facts, words: list[str]) -> LowLight | None:
        """The map named, or the newest of the library that was made at the lights' setting."""
        wanted = self._wanted.low_light
        if wanted is None:
            return None
        path = find_low_light(library_folder(), lights) if wanted == AUTO else Path(wanted)
        if wanted == AUTO:
            words.append(f"low-light map {path.name}")
        if path not in self._maps:
            self._maps[path] = read_low_light(path)
        return self._maps[path]

    def _part(
        self,
        group: Group,
        numbers: tuple[int, ...],
        base: Masters,
        flat: Master | None,
        warnings: Sequence[str],
        words: Sequence[str],
    ) -> _Part:
        key = (id(base.bias), id(base.dark), id(flat), id(base.low_light))
        if key not in self._sets:
            masters = replace(base, flat=flat)
            told = [warning for master in masters.all() for warning in master.warnings]
            told += masters.low_light.warnings if masters.low_light is not None else ()
            self._sets[key] = replace(masters, warnings=tuple(told))
        explained = f"auto: {'; '.join(words)}" if words else ""
        return _Part(numbers, group.facts, self._sets[key], tuple(warnings), explained)

    def _bias(self, lights: Facts, warnings: list[str], words: list[str]) -> Master | None:
        if self._wanted.bias is None:
            return None
        if self._wanted.bias != AUTO:
            return self._named(Kind.BIAS, self._wanted.bias, None)
        try:
            return self._chosen(Kind.BIAS, lights, None, warnings, words)
        except MasterError as error:
            if self._wanted.dark is None:
                self._without(Kind.BIAS, error, warnings)
            return None  # a dark holds its bias

    def _dark(
        self, lights: Facts, bias: Master | None, warnings: list[str], words: list[str]
    ) -> Master | None:
        if self._wanted.dark is None:
            return None
        if self._wanted.dark != AUTO:
            return self._named(Kind.DARK, self._wanted.dark, bias)
        try:
            return self._chosen(Kind.DARK, lights, bias, warnings, words)
        except MasterError as error:
            if bias is None:
                self._without(Kind.DARK, error, warnings)
            else:
                warnings.append(f"Only the bias is taken off, dark current and hot pixels stay. {error}")
            return None

    def _without(self, kind: Kind, error: MasterError, warnings: list[str]) -> None:
        """Go on without a master, and say so, or raise what says why there is none."""
        if not self._go_without:
            raise error
        warnings.append(f"{WITHOUT} {NAMES[kind]}. {error}")

    def _chosen(
        self, kind: Kind, lights: Facts, bias: Master | None, warnings: list[str], words: list[str]
    ) -> Master:
        found = find(kind, lights, self._among)
        key = (found.kept.files, found.other and found.other.files, round(found.share, 3))
        master = self._open(key, lambda: open_found(found, self._among, lights, bias))
        warnings += found.warnings
        words.append(found.explained)
        return master

    def _named(self, kind: Kind, path: str, bias: Master | None) -> Master:
        def opened() -> Master:
            dark_flat = None
            if kind is Kind.FLAT and self._wanted.dark_flat not in (None, AUTO):
                dark_flat = open_master(str(self._wanted.dark_flat), Kind.DARK_FLAT)
            return open_master(path, kind, bias=bias, dark_flat=dark_flat)

        return self._open((kind, path, id(bias)), opened)

    def _open(self, key: tuple[object, ...], opened: Callable[[], Master]) -> Master:
        if key not in self._opened:
            self._opened[key] = opened()
        return self._opened[key]

    def _flats(self, group: Group, found: Found, base: Masters) -> list[tuple[Found, tuple[int, ...]]]:
        """Which lights of the group belong to which flat."""
        rivals = (found.kept, *found.rivals)
        if len(rivals) == 1:
            return [(found, group.numbers)]
        judge = DustJudge([self._flat(kept) for kept in rivals], group.facts, Calibrator(base, group.facts))
        if judge.all_alike:
            return [(found, group.numbers)]
        split = judge.split(group.numbers, self._reread)
        if split is None:
            told = (
                f"{len(rivals)} flats of one night fit, and neither headers nor dust tell which these lights "
                f"were taken through: {found.kept.name}, the nearest in time, is used."
            )
            return [(replace(found, warnings=(*found.warnings, told)), group.numbers)]
        return [(find(Kind.FLAT, group.facts, [rivals[index]]), numbers) for index, numbers in split.items()]

    def _flat(self, kept: Kept) -> Master:
        if kept.files not in self._flats_opened:
            self._flats_opened[kept.files] = open_kept(kept, self._among)
        return self._flats_opened[kept.files]


def _unread(number: int) -> Frame:
    raise LookupError(f"sub {number} is asked for before any lights were given")


def masters_for(wanted: MasterPaths, facts: Facts, reread: Callable[[int], Frame]) -> tuple[Masters, str]:
    """The masters of lights that come in like this one, as wanted, and in words what was chosen.

    A named one that does not fit raises MasterMismatch; where none can be chosen the lights go without it,
    and the masters' warnings say so.
    """
    if not is_automatic(wanted):
        return named_masters(wanted, facts), ""
    among = at_hand([] if facts.source is None else [facts.source], {})
    chosen = Chooser(wanted, among, go_without=True).choose({facts.number: facts}, reread)
    return chosen.of[facts.number], " ".join(chosen.explained)
