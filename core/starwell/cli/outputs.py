"""What a command writes beside its words: figures as JSON, to a file or stdout, and a report in a folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from starwell.calibration.stored import check_target
from starwell.errors import PlanError
from starwell.files.atomic import replacing, writing
from starwell.sensor.report_plots import drawing

STDOUT = Path("-")


def check_files(*targets: Path | None, overwrite: bool) -> None:
    """Fail before the work, not after it: StorageError for a file that cannot be written."""
    for target in targets:
        if target is not None and target != STDOUT:
            check_target(target, overwrite=overwrite)


def write_json(figures: object, path: Path | None, *, overwrite: bool) -> None:
    """Indented, to the file, to stdout for `-`, nowhere for None."""
    if path is None:
        return
    content = msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"
    if path == STDOUT:
        print(content.decode(), end="")
        return
    with replacing(path, overwrite=overwrite) as stream:
        stream.write(content)


def check_report(folder: Path, *, overwrite: bool) -> None:
    """Make the folder; PlanError where plots cannot be drawn or a report is there, StorageError."""
    drawing()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.md"
    if report.exists() and not overwrite:
        raise PlanError(f"{report} exists already: choose another folder, or replace it with --overwrite.")


def write_report(folder: Path, text: str) -> Path:
    """The report's file, beside its plots."""
    path = folder / "report.md"
    with replacing(path, overwrite=True) as stream:
        stream.write(text.encode())
    return path
