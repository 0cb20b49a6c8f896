"""The rows of the table: what is run for each, in turn, and what is compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import bandwidth
import siril
from cost import Cost, Failed, run
from memory import SENSORS

HERE = Path(__file__).parent
PIXELS = 3520 * 4656
STACKED = 20
COMBINED = 100
STRIPS = 16
"""Strips to a 16 MP frame: see frames.NIGHTS."""


@dataclass(frozen=True)
class Row:
    """One line of the table. less: the figure must be at most bar and goal, else at least."""

    what: str
    ours: str
    theirs: str
    figure: float
    bar: float
    goal: float
    less: bool = False
    unit: str = "×"

    def __str__(self) -> str:
        sign = "≤" if self.less else "≥"
        bar, goal = (self._meets(limit) for limit in (self.bar, self.goal))
        met = "goal" if goal else "yes" if bar else "**no**"
        figure = f"{self.figure:.{0 if self.figure > 99 else 1}f} {self.unit}"
        wanted = f"{sign} {self.bar:g} {self.unit} | {sign} {self.goal:g} {self.unit}"
        return f"| {self.what} | {self.ours} | {self.theirs} | {figure} | {wanted} | {met} |"

    def _meets(self, limit: float) -> bool:
        return self.figure <= limit if self.less else self.figure >= limit


@dataclass
class Bench:
    """Runs the programs on one folder of frames; notes says what a number alone does not."""

    folder: Path
    rounds: int
    subs: int
    notes: list[str] = field(default_factory=list)

    def script(self, name: str, *words: str) -> Cost:
        """Run one of this folder's scripts."""
        command = [sys.executable, str(HERE / name), *words, "--folder", str(self.folder)]
        print("#", *command[1:], file=sys.stderr)
        return run(command, errors=False)

    def told(self, name: str, *words: str) -> Any:
        """Run one of this folder's scripts for what it prints."""
        return json.loads(self.script(name, *words).said)

    def exact(self) -> Cost:
        """`starwell stack` on the mono subs. Raises Failed unless all of them are in the stack."""
        night, out, made = (self.folder / name for name in ("mono", "exact.fits", "exact.json"))
        words = ["stack", night / "lights", "--dark", night / "dark.fits", "--flat", night / "flat.fits"]
        words += ["-o", out, "--report", made, "--overwrite"]
        print("# starwell", *words, file=sys.stderr)
        cost = run([sys.executable, "-m", "starwell_tui", *map(str, words)])
        report = json.loads(made.read_text())
        if report["stacked"] != len(report["frames"]):
            raise Failed(f"starwell stack left subs out:\n{cost.said[-2000:]}")
        return cost

    def running(self, night: str, subs: int, *words: str) -> tuple[Any, Cost]:
        """A running stack. Raises Failed unless all subs are in it."""
        cost = self.script("ours.py", "running", "--night", night, "--subs", str(subs), *words)
        told = json.loads(cost.said)
        if told["stacked"] != subs:
            raise Failed(f"the running stack holds {told['stacked']} of {subs} subs of {night}")
        return told, cost


def stack_rows(bench: Bench) -> list[Row]:
    """The same subs in a running stack, in an exact one, and in Siril's."""
    bench.script("frames.py", "mono")
    ours, exact, theirs, peaks = [], [], [], []
    for _ in range(bench.rounds):
        theirs.append(siril.stack(bench.folder, "mono"))
        ours.append(bench.running("mono", STACKED)[1])
        peaks.append(bench.running("mono", STACKED, "--undo")[0]["peak_mb"])
        exact.append(bench.exact())
    peak, fixed = median(peaks), 1e6 / PIXELS
    bench.notes.append(
        f"The exact stack took {_middle(exact, 'cpu_s'):.1f} s of CPU. Peak memory: running {peak:.0f} MB, "
        f"exact {_middle(exact, 'peak_mb'):.0f} MB, Siril {_middle(theirs, 'peak_mb'):.0f} MB. "
        f"The running stack takes {(peak - 130) * fixed:.1f} B/px above 130 MB."
    )
    return [
        _against_siril("running stack, 20 × 16 MP mono, wall", ours, theirs, "wall_s", 8, 15),
        _against_siril("the same, CPU", ours, theirs, "cpu_s", 6, 10),
        _against_siril("exact `starwell stack` of the same, wall", exact, theirs, "wall_s", 4, 8),
        Row(
            "peak memory of the running stack, with undo",
            f"{peak:.0f} MB",
            "",
            peak,
            round(30 / fixed + 130),
            round(26 / fixed + 100),
            less=True,
            unit="MB",
        ),
    ]


def sub_rows(bench: Bench) -> list[Row]:
    """One sub in the steady state: against the memory's bandwidth, and colour against mono."""
    bench.script("frames.py", "mono", "osc")
    bounds: list[float] = []
    wall: dict[str, list[float]] = {"mono": [], "osc": []}
    cpu: dict[str, list[float]] = {"mono": [], "osc": []}
    peaks = {}
    for _ in range(bench.rounds):
        bounds.append(bandwidth.bound_ms(PIXELS, bench.told("bandwidth.py")))
        for night in wall:
            told, _ = bench.running(night, 24)
            steady = slice(max(told["fresh"]), None)
            wall[night] += told["wall_s"][steady]
            cpu[night] += told["cpu_s"][steady]
            peaks[night] = told["peak_mb"]
    mono, osc = (1e3 * median(times) for times in wall.values())
    bound = median(bounds)
    bench.notes.append(
        f"A sub takes {1e3 * median(cpu['mono']):.0f} ms of CPU in mono, {1e3 * median(cpu['osc']):.0f} "
        f"in colour; its file was read before. The colour stack peaks at {peaks['osc']:.0f} MB."
    )
    over = "one 16 MP mono sub, steady, over the bound of the memory's bandwidth"
    colour = "one 16 MP OSC sub at full size, over the mono one"
    return [
        Row(over, f"{mono:.0f} ms", f"{bound:.1f} ms", mono / bound, 17, 5, less=True),
        Row(colour, f"{osc:.0f} ms", f"{mono:.0f} ms", osc / mono, 3, 2, less=True),
    ]


def align_rows(bench: Bench) -> list[Row]:
    """Find, match and warp against astroalign."""
    bench.script("frames.py", "mono")
    ours, theirs = [], []
    for _ in range(bench.rounds):
        ours.append(bench.told("ours.py", "align"))
        theirs.append(bench.told("peers.py", "align"))
    bench.notes.append(
        f"Corner errors of the alignment: ours {ours[-1]['error_px']:.3f} px, "
        f"astroalign's {theirs[-1]['error_px']:.3f} px."
    )
    a, b = (1e3 * median(told["cpu_s"] for told in side) for side in (ours, theirs))
    what = "find + match + warp, CPU, against astroalign"
    return [Row(what, f"{a:.0f} ms", f"{b:.0f} ms", b / a, 12, 20)]


def combine_rows(bench: Bench) -> list[Row]:
    """Two exact passes against one round of clipping in ccdproc."""
    bench.script("frames.py", "still", "strip")
    ours, theirs, held = [], [], 0.0
    for _ in range(bench.rounds):
        ours.append(bench.told("ours.py", "combine", "--subs", str(COMBINED)))
        cost = bench.script("peers.py", "combine")
        theirs.append(json.loads(cost.said))
        held = cost.peak_mb
    a = median(told["cpu_s"] for told in ours)
    reading = COMBINED * median(told["read_s"] for told in theirs)
    b = COMBINED * STRIPS * median(told["cpu_s"] for told in theirs) + reading
    bench.notes.append(
        f"Combining: ours stacks {ours[-1]['stacked']} aligned subs of 16 MP (20 files over and over), a "
        "fifth of them twice: reads, warps, judges, searches trails, on one thread, start-up counted; it "
        f"peaks at {ours[-1]['peak_mb']:.0f} MB. ccdproc's Combiner, one round at 3 sigma about the mean, "
        f"is measured on {COMBINED} strips of 1 MP and scaled by {STRIPS}: it holds all at once "
        f"({held:.0f} MB for the strips). With it astropy reads whole frames, {reading:.1f} s of it; "
        f"without, {(b - reading) / a:.1f} times."
    )
    what = "exact two-pass combine of 100 × 16 MP, CPU, against ccdproc"
    return [Row(what, f"{a:.0f} s", f"{b:.0f} s", b / a, 10, 20)]


def growth_rows(bench: Bench) -> list[Row]:
    """Whether a sub costs more, and the stack more memory, as it grows."""
    bench.script("frames.py", "small")
    lines, first = [], 0
    for _ in range(bench.rounds):
        told, _ = bench.running("small", bench.subs)
        first = max(10, *told["fresh"])
        numbers, costs = _medians(list(range(first, bench.subs))), _medians(told["cpu_s"][first:])
        slope, start = linear_regression(numbers, costs)
        lines.append([1e3 * (start + slope * n) for n in (first, bench.subs)])
    early, late = sorted(lines, key=lambda line: line[1] / line[0])[len(lines) // 2]
    rises = ", ".join(f"{100 * (end / begin - 1):+.0f}" for begin, end in lines)
    memory = told["rss_mb"]
    bench.notes.append(
        f"Rises of the rounds: {rises} %. Memory of the stack (1.4 MP): {memory[first]:.0f} MB at sub "
        f"{first + 1}, {memory[-1]:.0f} MB at sub {bench.subs}, peak {told['peak_mb']:.0f} MB."
    )
    what = f"rise of a sub's CPU from sub {first + 1} to {bench.subs} (1.4 MP, fitted)"
    rise = 100 * (late / early - 1)
    return [Row(what, f"{late:.1f} ms", f"{early:.1f} ms", rise, 5, 1, less=True, unit="%")]


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Slope and start of the line with the least relative distances, which are what is judged."""
    weights = [1 / value**2 for value in y]
    total = sum(weights)
    middle_x, middle_y = (sum(w * v for w, v in zip(weights, of, strict=True)) / total for of in (x, y))
    run = sum(w * (a - middle_x) ** 2 for w, a in zip(weights, x, strict=True))
    rise = sum(w * (a - middle_x) * (b - middle_y) for w, a, b in zip(weights, x, y, strict=True))
    return rise / run, middle_y - rise / run * middle_x


def pixels_rows(bench: Bench) -> list[Row]:
    """Whether the cost of a sub is a straight line in its pixels."""
    costs = _grown(bench, [("--megapixels", str(n)) for n in SENSORS])
    megapixels = [height * width / 1e6 for height, width in SENSORS.values()]
    slope, start = _line(megapixels, costs)
    fitted = [start + slope * n for n in megapixels]
    off = 100 * max(abs(cost / line - 1) for cost, line in zip(costs, fitted, strict=True))
    sizes = ", ".join(f"{n:.1f} MP {cost:.0f} ms" for n, cost in zip(megapixels, costs, strict=True))
    bench.notes.append(f"CPU of a sub by its pixels, on one thread: {sizes}.")
    what = "largest distance of a sub's CPU from a straight line, 2 to 62 MP"
    return [Row(what, f"{slope:.1f} ms/MP", f"+ {start:.0f} ms", off, 10, 5, less=True, unit="%")]


def stars_rows(bench: Bench) -> list[Row]:
    """Whether a rich field costs more than a poor one."""
    counts = (50, 500, 5000)
    costs = _grown(bench, [("--stars", str(n)) for n in counts])
    listed = ", ".join(f"{n} stars {cost:.0f} ms" for n, cost in zip(counts, costs, strict=True))
    bench.notes.append(f"CPU of a sub of 16 MP by its stars, on one thread: {listed}.")
    what = "a sub of 5,000 stars over one of 50 (16 MP, CPU)"
    return [Row(what, f"{costs[-1]:.0f} ms", f"{costs[0]:.0f} ms", costs[-1] / costs[0], 1.5, 1.2, less=True)]


def _grown(bench: Bench, cases: list[tuple[str, str]]) -> list[float]:
    """Least CPU ms of a sub in each case. Raises Failed where subs were left out."""
    least: list[list[float]] = [[] for _ in cases]
    for _ in range(bench.rounds):
        for case, found in zip(cases, least, strict=True):
            told = bench.told("growth.py", *case, "--subs", "7")
            if told["stacked"] != 15:
                raise Failed(f"growth.py {' '.join(case)} stacked {told['stacked']} of 15 subs")
            found.append(told["least_ms"])
    return list(map(min, least))


def _against_siril(what: str, ours: list[Cost], theirs: list[Cost], of: str, bar: float, goal: float) -> Row:
    ratio = median(getattr(b, of) / getattr(a, of) for a, b in zip(ours, theirs, strict=True))
    return Row(what, f"{_middle(ours, of):.1f} s", f"{_middle(theirs, of):.1f} s", ratio, bar, goal)


def _middle(costs: list[Cost], of: str) -> float:
    return float(median(getattr(cost, of) for cost in costs))


def _medians(values: list[Any], block: int = 30) -> list[float]:
    return [median(values[i : i + block]) for i in range(0, len(values), block)]


ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "stack": stack_rows,
    "sub": sub_rows,
    "align": align_rows,
    "combine": combine_rows,
    "growth": growth_rows,
    "pixels": pixels_rows,
    "stars": stars_rows,
}
