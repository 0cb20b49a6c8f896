"""What a night takes of memory, by the budget and as measured: whole programs, sums, masters and files.

python bench/memory.py [--sizes 2 16 26 62] [--stacks mono super-pixel full] [--ways live exact] [--subs 11]

Frames are simple (noise, stars, a drift) and made for the occasion, for only their size matters. Peak memory
is VmHWM as the kernel tells it of each program when it has ended. Prints one Markdown table; ends with 1
where a measured peak is more than 10 % off its budget.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cost import Cost, run

SENSORS = {2: (1096, 1936), 16: (3520, 4656), 26: (4176, 6248), 62: (6388, 9576)}
"""Megapixels to height and width: those of the ASI290, 1600, 2600 and 6200."""

STACKS = ("mono", "super-pixel", "full")
WAYS = ("live", "exact")
BAR = 0.10
MB = 1e6


@dataclass(frozen=True)
class Peak:
    """One measured program beside its budget, MB."""

    megapixels: int
    stack: str
    way: str
    budget_mb: float
    measured_mb: float

    @property
    def off(self) -> float:
        """How far it is from the budget, as a part of that."""
        return self.measured_mb / self.budget_mb - 1

    def __str__(self) -> str:
        figures = f"{self.budget_mb:,.0f} MB | {self.measured_mb:,.0f} MB | {self.off:+.1%}"
        return f"| {self.megapixels} MP | {self.stack} | {self.way} | {figures} |"


def make(folder: Path, megapixels: int, bayer: bool, subs: int) -> None:
    """The lights, master dark and master flat, by a program of its own: this one is to stay small."""
    words = [str(folder), str(megapixels), str(int(bayer)), str(subs)]
    subprocess.run([sys.executable, str(Path(__file__).with_name("memory_frames.py")), *words], check=True)


def stacked(folder: Path, stack: str, way: str) -> Cost:
    """The night live, or its lights exactly."""
    masters = ["--dark", str(folder / "dark.fits"), "--flat", str(folder / "flat.fits")]
    colour = ["--super-pixel"] if stack == "super-pixel" else []
    if way == "live":
        night = ["--camera", f"folder:{folder / 'lights'}", "--folder", str(folder / "night")]
        words = ["run", *night, *masters, *colour, "--json"]
    else:
        words = ["stack", str(folder / "lights"), *masters, *colour, "-o", str(folder / "s.fits")]
    home = {"STARWELL_HOME": str(folder / "home")}
    return run([sys.executable, "-m", "starwell_tui", *words], env=home, errors=True)


def budget_mb(megapixels: int, stack: str, way: str) -> float:
    """What the budget says, asked in a program of its own."""
    code = (
        "from starwell.session.budget import Need, budget;"
        "from starwell.frame import Colour;"
        f"need = Need({SENSORS[megapixels]}, mosaic={stack != 'mono'}, "
        f"colour=Colour({'full' if stack == 'mono' else stack!r}), exact={way == 'exact'});"
        "print(budget(need).peak_bytes)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return int(said) / MB


def peaks(asked: argparse.Namespace) -> list[Peak]:
    """Every program asked for, one after the other."""
    found = []
    for megapixels in asked.sizes:
        for stack in asked.stacks:
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                here = Path(folder)
                make(here, megapixels, stack != "mono", asked.subs)
                for way in asked.ways:
                    print(f"# {megapixels} MP {stack} {way}", file=sys.stderr)
                    cost = stacked(here, stack, way)
                    peak = Peak(megapixels, stack, way, budget_mb(megapixels, stack, way), cost.peak_mb)
                    print(peak, file=sys.stderr)
                    found.append(peak)
    return found


def main() -> int:
    """Measure and print; 1 where something is off."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", choices=SENSORS, default=list(SENSORS), metavar="MP")
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=list(STACKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["live"])
    parser.add_argument("--subs", type=int, default=11)
    parser.add_argument(
        "--folder", type=Path, help="where frames are put for a while (the system's own place)"
    )
    found = peaks(parser.parse_args())
    print(f"Measured on {os.cpu_count()} processors.\n")
    print("| sensor | stack | way | budget | measured | off |\n|---|---|---|---|---|---|")
    print("\n".join(map(str, found)))
    return int(any(abs(peak.off) > BAR for peak in found))


if __name__ == "__main__":
    sys.exit(main())
