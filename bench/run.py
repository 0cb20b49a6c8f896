"""Measure starwell against Siril, astroalign, ccdproc and the memory's bandwidth: one Markdown table.

    python bench/run.py [--quick] [--only ROW ...] [--rounds N] [--folder F] [--out TABLE.md]

Programs are run in turn, round after round, and medians compared: other work on the machine hits all alike.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import siril
from cost import Failed
from rows import HERE, ROWS, Bench

PARTS = ("starwell", "numpy", "opencv-python-headless", "astropy", "sep", "astroalign", "ccdproc")


def page(bench: Bench, names: list[str]) -> str:
    """The machine, the table, the notes."""
    start = machine(bench)
    lines = ["| what | ours | theirs | measured | bar | goal | met |", "|---|---|---|---|---|---|---|"]
    for name in names:
        try:
            lines += map(str, ROWS[name](bench))
        except Failed as failed:
            lines.append(f"| {name} | | | not measured | | | **no** |")
            bench.notes.append(f"{name}: {failed}")
    return "\n".join([start, "", *lines, "", *(f"- {note}" for note in bench.notes), ""])


def machine(bench: Bench) -> str:
    """What the figures were taken on, when, and with which versions."""
    known = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in known if line.startswith("model name")), "unknown CPU")
    parts = ", ".join(f"{part} {_version(part)}" for part in PARTS)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cpu}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} before, {bench.rounds} round(s). "
        f"Python {platform.python_version()}, {parts}, {siril.version()}."
    )


def compiled() -> None:
    """Byte code beside the sources, as pip leaves it of a program that it installs."""
    for part in ("starwell", "starwell_tui"):
        found = find_spec(part)
        for folder in (found.submodule_search_locations if found else None) or ():
            compileall.compile_dir(folder, quiet=1)
    compileall.compile_dir(HERE, maxlevels=0, quiet=1)


def _version(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return "missing"


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("--quick", action="store_true", help="one round, 200 subs in place of 1,000")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), help="these rows only")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=HERE / "work", help="where frames are kept")
    parser.add_argument("--out", type=Path, help="write the page here, too")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    compiled()
    bench = Bench(asked.folder, 1 if asked.quick else asked.rounds, 200 if asked.quick else 1000)
    text = page(bench, asked.only)
    print(text)
    if asked.out:
        asked.out.write_text(text)
