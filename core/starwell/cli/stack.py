"""`starwell stack`: stack what is on disk, exactly in two passes, or quickly in one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from starwell.errors import NothingStacked, PlanError, TooLittleMemory
from starwell.frame import Colour
from starwell.session.automatic import Chooser, at_hand
from starwell.session.budget import Need
from starwell.session.build import Method
from starwell.session.enough import available_bytes, verdict
from starwell.session.events import (
    StackMeasured,
    StackStarted,
    SubMeasured,
    SubRejected,
    SubStacked,
)
from starwell.session.noise import noise_lines
from starwell.session.output import Stacked, Unit
from starwell.session.plan import MasterPaths
from starwell.session.sets import LightSet, Unreadable, light_sets, lights_and_others
from starwell.session.stack_files import Outputs, SetRun, Share
from starwell.session.wanted import is_automatic
from starwell.stack.kernels import Kernel

_SHOWN_S = 0.1

_EPILOG = """\
Every LIGHT is a file or a folder; a night's folder stands for its lights/. P is a folder of frames, a
finished master, or `auto`; a bias may be a level in ADU. With auto every light gets the masters that belong
to it, from the library (`starwell library`) and from darks/ flats/ biases/ darkflats/ beside the
lights, flats of its own night, filter and rotation, so that many nights stack in one call:
  starwell stack NIGHT1 NIGHT2 NIGHT3 --dark auto --flat auto -o OUT.fits
Subs of different filter, exposure or gain are stacked apart, one output each, unless --mix is given.

exit codes: 0 a stack was written; 1 nothing could be stacked, and why; 2 the call was wrong
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell stack`."""
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("lights", nargs="+", type=Path, metavar="LIGHT", help="the subs")
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT.fits",
        help="the stack: .fits, or 32-bit .tif",
    )
    masters = parser.add_argument_group("calibration").add_argument
    masters("--bias", metavar="P", help="bias: master, folder, a level in ADU, or auto")
    masters("--dark", metavar="P", help="dark: master, folder, or auto")
    masters("--flat", metavar="P", help="flat: master, folder, or auto")
    masters("--dark-flat", metavar="P", help="darks of the flats: master, folder, or auto")
    masters("--low-light", metavar="M.fits", help="low-light map (starwell master low-light), or auto")
    how = parser.add_argument_group("stacking").add_argument
    how("--reference", default="auto", metavar="auto|FILE", help="the sub the others of its set are laid on")
    how("--kernel", type=Kernel, choices=tuple(Kernel), default=Kernel.LANCZOS, help="default lanczos")
    how("--reject", choices=("noise-model", "none"), default="noise-model", help="default noise-model")
    how("--quick", action="store_true", help="one pass, as live: sooner done, trails cut a little less well")
    how("--super-pixel", action="store_true", help="colour at half size: every 2×2 cell one pixel")
    how("--mix", action="store_true", help="all filters, exposures and gains in one stack")
    how("--threads", type=_positive, metavar="N", help="default: all cores")
    how("--dask", metavar="ADDRESS", help="on the workers of the Dask scheduler at tcp://HOST:PORT")
    out = parser.add_argument_group("output").add_argument
    out("--unit", type=Unit, choices=tuple(Unit), default=Unit.FULL_SCALE, help="default: 65535 ADU = 1.0")
    out("--report", type=Path, metavar="R.json", help="what became of every sub")
    out("--preview", type=Path, metavar="OUT.png", help="a stretched picture")
    out("--overwrite", action="store_true", help="replace what is there")


def run(arguments: argparse.Namespace) -> int:
    """Stack every set of the lights given; 1 when none could be."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    outputs = Outputs(
        arguments.output, arguments.report, arguments.preview, arguments.unit, arguments.overwrite
    )
    outputs.check()
    if arguments.quick and (arguments.dask or arguments.reference != "auto"):
        raise PlanError(
            "--quick goes neither with --dask nor with --reference: its one pass is made here, about the "
            "best of the first subs."
        )
    with _shared(arguments.dask, console) as share:
        return _stack_given(arguments, outputs, console, share)


def _stack_given(
    arguments: argparse.Namespace, outputs: Outputs, console: Console, share: Share | None
) -> int:
    """All sets among the files given."""
    wanted = _masters(arguments)
    sets, unreadable, chooser = _lights(arguments, wanted)
    for lost in unreadable:
        console.print(f"[red]unreadable[/] {escape(lost.fault)}")
    if not sets:
        raise NothingStacked(f"None of the {len(unreadable)} files can be read.")
    for lights in sets:
        outputs.labelled(lights.label).check()
    reference = _reference(arguments.reference, sets)
    failures = []
    for lights in sets:
        try:
            labelled = outputs.labelled(lights.label)
            _stack_set(lights, arguments, wanted, chooser, share, reference, labelled, unreadable, console)
        except NothingStacked as nothing:
            failures.append(f"{lights.label}: {nothing}" if lights.label else str(nothing))
    if len(failures) == len(sets):
        raise NothingStacked(" ".join(failures))
    for failure in failures:
        console.print(f"[red]not stacked[/] {escape(failure)}")
    return 0


@contextmanager
def _shared(address: str | None, console: Console) -> Iterator[Share | None]:
    """Who shares the work: the workers of the cluster at this address, or nobody."""
    if address is None:
        yield None
        return
    from starwell.session.cluster import Cluster  # Dask is an extra
    from starwell.session.on_cluster import OnCluster

    with Cluster(address) as cluster:
        places = cluster.places
        console.print(f"workers: {len(places)}, tasks at a time: {sum(places.values())}", markup=False)
        yield partial(OnCluster, cluster)


def _masters(arguments: argparse.Namespace) -> MasterPaths:
    return MasterPaths(**{name: getattr(arguments, name) for name in MasterPaths.__struct_fields__})


def _lights(
    arguments: argparse.Namespace, wanted: MasterPaths
) -> tuple[list[LightSet], list[Unreadable], Chooser | None]:
    """The lights by sets, and who chooses their masters where that is asked for."""
    if not is_automatic(wanted):
        sets, unreadable = light_sets(arguments.lights, mix=arguments.mix)
        return sets, unreadable, None
    given = lights_and_others(arguments.lights, mix=arguments.mix)
    if not given.sets and given.others:
        raise NothingStacked(f"There are no lights among the {len(given.others)} files given.")
    files = [file for lights in given.sets for file in lights.files]
    return given.sets, given.unreadable, Chooser(wanted, at_hand(files, given.others))


def _reference(asked: str, sets: list[LightSet]) -> Path | None:
    """The file asked for, which serves the set that holds it; PlanError when none does."""
    if asked == "auto":
        return None
    if all(lights.number_of(Path(asked)) is None for lights in sets):
        raise PlanError(f"The reference {asked} is not among the lights.")
    return Path(asked)


def _stack_set(
    lights: LightSet,
    arguments: argparse.Namespace,
    masters: MasterPaths,
    chooser: Chooser | None,
    share: Share | None,
    reference: Path | None,
    outputs: Outputs,
    unreadable: list[Unreadable],
    console: Console,
) -> None:
    reject = arguments.reject == "noise-model"
    method = Method(arguments.kernel, reject, arguments.threads)
    colour = Colour.SUPER if arguments.super_pixel else Colour.FULL
    mine = reference if reference and lights.number_of(reference) is not None else None
    job = SetRun(
        lights,
        masters,
        method,
        colour=colour,
        reference=mine,
        quick=arguments.quick,
        chooser=chooser,
        share=share,
    )
    fits, words = verdict(_need(lights, arguments, colour), available_bytes())
    if not fits:
        raise TooLittleMemory(words)
    console.print(words, markup=False)
    for words in job.chosen.explained if job.chosen else ():
        console.print(words, markup=False)
    noise = _show(job, lights, console)
    for warning in job.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    stack = job.write(outputs, unreadable)
    print(_summary(job, stack, outputs, noise, len(unreadable)))


def _need(lights: LightSet, arguments: argparse.Namespace, colour: Colour) -> Need:
    return Need(
        lights.facts.size,
        mosaic=lights.facts.bayer is not None,
        colour=colour,
        dark=arguments.dark is not None or arguments.bias is not None,
        flat=arguments.flat is not None,
        low_light=arguments.low_light is not None,
        rejects=arguments.reject != "none",
        exact=True,
        threads=arguments.threads,
    )


def _show(job: SetRun, lights: LightSet, console: Console) -> StackMeasured | None:
    """Run the job under a progress bar; a line for every sub kept out."""
    noise = None
    title = lights.label.replace("_", " ") or "subs"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    live = sys.stderr.isatty()
    shown = time.monotonic()
    # No thread of its own: it would take the lock from those that stack.
    with Progress(
        *columns, console=console, transient=True, disable=not live, auto_refresh=False
    ) as progress:
        measuring = progress.add_task(f"measuring {title}", total=len(lights.files))
        stacking = progress.add_task(f"stacking {title}", total=None, start=False)
        for event in job.events():
            match event:
                case SubMeasured():
                    progress.advance(measuring)
                case SubRejected(number=number, reason=reason, detail=detail):
                    why = f"{lights.file(number).name}: {reason}{f' ({detail})' if detail else ''}"
                    console.print(f"[red]kept out[/] {escape(why)}")
                case StackStarted():
                    if not job.quick:  # all that could be measured have been
                        progress.update(measuring, completed=len(lights.files))
                    progress.update(stacking, total=len(lights.files))
                    progress.start_task(stacking)
                case SubStacked():
                    progress.advance(stacking)
                case StackMeasured():
                    noise = event
            if time.monotonic() - shown > _SHOWN_S:
                progress.refresh()
                shown = time.monotonic()
    return noise


def _summary(job: SetRun, stack: Stacked, outputs: Outputs, noise: StackMeasured | None, lost: int) -> str:
    total = len(job.lights.files) + lost
    live = f", {stack.livetime_s:g} s of light" if stack.livetime_s else ""
    reference = stack.facts.source.name if stack.facts.source else "?"
    lines = [
        f"{outputs.stack}: {stack.stacked} of {total} subs stacked{live}, reference {reference}",
        f"  {job.source_of_gain}",
    ]
    if noise is not None:
        lines += [f"  {line}" for line in noise_lines(noise)]
    return "\n".join(lines)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
