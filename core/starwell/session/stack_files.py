"""`starwell stack` without its words: lights on disk, masters, and how to combine them, into files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.calibrators import Calibrators
from starwell.calibration.master import Masters
from starwell.calibration.noise_share import dim_flat_warning
from starwell.errors import NothingStacked, PlanError
from starwell.files import pictures
from starwell.files.atomic import replacing
from starwell.frame import Colour
from starwell.picture.preview import preview
from starwell.sensor.store import find
from starwell.session.automatic import Chooser, Chosen
from starwell.session.build import Method
from starwell.session.events import Event
from starwell.session.exact import ExactRun
from starwell.session.intake import Intake
from starwell.session.noise import noise_record, stack_noise
from starwell.session.output import Stacked, Unit, finished, maps_path, save
from starwell.session.plan import MasterPaths
from starwell.session.quick import QuickRun
from starwell.session.records import MatchedRecord, Report, Status, SubRecord, report
from starwell.session.sets import LightSet, Unreadable
from starwell.session.wanted import named_masters
from starwell.session.work import Work


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where everything goes; each path gets the set's label where a call makes several stacks."""

    stack: Path
    report: Path | None = None
    preview: Path | None = None
    unit: Unit = Unit.FULL_SCALE
    overwrite: bool = False

    def labelled(self, label: str) -> Outputs:
        """The outputs of one of several sets."""
        if not label:
            return self

        def tagged(path: Path | None) -> Path | None:
            return path.with_name(f"{path.stem}_{label}{path.suffix}") if path else None

        stack = tagged(self.stack) or self.stack
        return Outputs(stack, tagged(self.report), tagged(self.preview), self.unit, self.overwrite)

    def check(self) -> None:
        """PlanError where a file is in the way or the folder is missing, before hours are spent."""
        paths = [self.stack, self.report, self.preview]
        if self.stack.suffix.lower() not in _STACK_SUFFIXES:
            known = ", ".join(sorted(_STACK_SUFFIXES))
            raise PlanError(f"{self.stack.name} should end in one of {known}.")
        if self.stack.suffix.lower() in _FITS:
            paths.append(maps_path(self.stack))
        for path in filter(None, paths):
            if path.exists() and not self.overwrite:
                raise PlanError(f"{path} exists; --overwrite replaces it.")
            if not path.parent.is_dir():
                raise PlanError(f"There is no folder {path.parent} to write {path.name} to.")


_FITS = {".fits", ".fit", ".fts"}
_STACK_SUFFIXES = _FITS | {".tif", ".tiff"}

Share = Callable[[LightSet, Intake, Method], Work]


class SetRun:
    """One set of lights, from files to a written stack; events on the way.

    quick: in one pass, as live. chooser: finds the masters of each light where some of them are `auto`;
    chosen is what it found. share: what has the work done on other machines.
    """

    def __init__(
        self,
        lights: LightSet,
        masters: MasterPaths,
        method: Method,
        *,
        colour: Colour = Colour.FULL,
        reference: Path | None = None,
        quick: bool = False,
        chooser: Chooser | None = None,
        share: Share | None = None,
    ) -> None:
        self.lights = lights
        self.chosen = None if chooser is None else chooser.choose(lights.facts_by_number(), lights.frame)
        self.intake = _intake(lights, masters, self.chosen, colour)
        self.masters: Masters = self.intake.masters
        wanted = None if reference is None else lights.number_of(reference)
        if reference is not None and wanted is None:
            raise PlanError(f"The reference {reference} is not among the lights.")
        self.quick = quick
        self._run: ExactRun | QuickRun
        if quick:
            self._run = QuickRun(self.intake, lights.frame, lights.numbers, method)
            return
        work = None if share is None else share(lights, self.intake, method)
        self._run = ExactRun(self.intake, lights.frame, lights.numbers, method, reference=wanted, work=work)

    def events(self) -> Iterator[Event]:
        """Do the work."""
        return self._run.run()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, said once for the set."""
        found = self.intake.findings
        subs = [c.warnings for m in self._run.members.by_number.values() if (c := m.candidate)]
        often = [w for warnings in subs[:1] for w in warnings]
        dim = self._dim_flat()
        told = (*self.lights.warnings, *self.intake.warnings, *often, *(found.warnings if found else ()))
        return tuple(dict.fromkeys((*told, *([dim] if dim else ()))))

    def _dim_flat(self) -> str | None:
        """What a flat as dim as the lights cost this stack."""
        sky, found, members = self._run.members.reference_sky_adu, self.intake.findings, self._run.members
        if sky is None or found is None or not self.intake.pedestal_is_off:
            return None
        model = found.model
        return dim_flat_warning(
            self.masters.flat, members.count(), sky_e=sky * model.egain, read_noise_e=model.read_noise_e
        )

    @property
    def source_of_gain(self) -> str:
        """Where e-/ADU and read noise come from."""
        return self.intake.findings.source if self.intake.findings else ""

    def records(self) -> list[SubRecord]:
        """One record per file of the set."""
        records = self._run.members.records()
        return [
            self._named(number, record) for number, record in zip(self.lights.numbers, records, strict=False)
        ]

    def _named(self, number: int, record: SubRecord) -> SubRecord:
        """The record with its file, and with its masters where they were chosen."""
        record = msgspec.structs.replace(record, file=self.lights.file(number).name)
        masters = None if self.chosen is None else self.chosen.of.get(number)
        if masters is None:
            return record
        names = {kind: name for kind, (name, _) in masters.hashes.items()}
        return MatchedRecord(**msgspec.structs.asdict(record), masters=names)

    def report(self, unreadable: list[Unreadable]) -> Report:
        """The whole set, and the files that could not even be sorted into one."""
        lost = [SubRecord(file=u.file.name, status=Status.UNREADABLE, reason=u.fault) for u in unreadable]
        reference = self._run.reference
        noise = (
            None if self._run.stack is None else stack_noise(self._run.stack, self._run.members, self.intake)
        )
        source = reference.facts.source if reference else None
        return report(self.records() + lost, source, None if noise is None else noise_record(noise))

    def stacked(self) -> Stacked:
        """The finished stack; NothingStacked before `events` ran through."""
        stack, reference = self._run.stack, self._run.reference
        if stack is None or reference is None:
            raise NothingStacked("There is no stack yet.")
        return finished(stack, self.intake, self._run.members, reference.facts)

    def write(self, outputs: Outputs, unreadable: list[Unreadable]) -> Stacked:
        """Write stack, maps, report and preview; each whole or not at all."""
        stack = self.stacked()
        save(outputs.stack, stack, unit=outputs.unit, overwrite=outputs.overwrite)
        if outputs.preview is not None:
            saturation = stack.model.saturation_adu
            picture = preview(stack.mean, coverage=stack.weight, white_adu=saturation)
            upright = picture if stack.facts.top_down else picture[::-1]
            pictures.write_png(outputs.preview, upright, overwrite=outputs.overwrite)
        if outputs.report is not None:
            write_report(outputs.report, self.report(unreadable), overwrite=outputs.overwrite)
        return stack


def _intake(lights: LightSet, wanted: MasterPaths, chosen: Chosen | None, colour: Colour) -> Intake:
    """What calibrates and measures the set: with the masters named, or with each light's own."""
    sensor = find(lights.facts)
    if chosen is not None:
        first, *others = chosen.all
        calibrators = Calibrators(chosen.calibrators())
        return Intake(calibrators, first, also=others, colour=colour, sensor=sensor)
    loaded = named_masters(wanted, lights.facts)
    return Intake(Calibrator(loaded, lights.facts), loaded, colour=colour, sensor=sensor)


def write_report(path: Path, content: Report, *, overwrite: bool = False) -> None:
    """The report as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(text + b"\n")
