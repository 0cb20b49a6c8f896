"""`starwell run`: one series of frames from a camera into tonight's folder, stacked as they come."""

from __future__ import annotations

import argparse
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.markup import escape

from starwell import config
from starwell.camera.drivers import KNOWN, connect
from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera, Control
from starwell.camera.simulated import SimulatedCamera
from starwell.cli.machine import clock_is_synchronised
from starwell.cli.progress import Narrator
from starwell.config import Config, Remembered, Settings
from starwell.errors import PlanError, StarwellError
from starwell.frame import Exposure, Kind, Roi
from starwell.session.capture import Series
from starwell.session.events import FrameTaken
from starwell.session.live_stacks import LiveStacks
from starwell.session.night_files import Night, night_folder
from starwell.session.single_run import SingleRun
from starwell.session.stack_files import MasterPaths

_KINDS = {
    "light": Kind.LIGHT,
    "dark": Kind.DARK,
    "flat": Kind.FLAT,
    "bias": Kind.BIAS,
    "dark-flat": Kind.DARK_FLAT,
}
_EPILOG = f"""\
CAMERA is {KNOWN};
simulated:speed=60,size=640x480,colour,3=hang makes other simulated cameras.
What is not given is as it was last time with this camera and target.
A folder is replayed and ends; a watched one is waited for. Both stay as they are.

exit codes: 0 all frames taken; 1 it ended early, and why; 2 the call was wrong;
130 and 143 ended by Ctrl-C and SIGTERM: what was exposed until then is whole
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell run`."""
    parser.epilog = _EPILOG
    what = parser.add_argument_group("what to take").add_argument
    what("--camera", metavar="CAMERA", help="default: the rig's")
    what("--kind", choices=tuple(_KINDS), default="light", help="default light")
    what("--exposure", type=_seconds, metavar="S", help="seconds of each frame")
    what("--frames", type=_count, metavar="N", help="default: until Ctrl-C")
    what("--gain", type=float, metavar="G", help="the camera's gain setting")
    what("--offset", type=float, metavar="O", help="the camera's offset setting")
    what("--bin", type=_count, metavar="B", help="B×B pixels into one")
    what("--roi", type=_roi, metavar="X,Y,W,H", help="a window of the sensor, in binned pixels")
    what("--temperature", type=float, metavar="C", help="cool to this, °C")
    what("--filter", metavar="NAME", help="the filter in the light's way")
    what("--target", metavar="NAME", help="what the telescope points at")
    what("--seed", type=int, default=1, metavar="N", help="of the simulated sky (1)")
    masters = parser.add_argument_group("calibration of the stack").add_argument
    masters("--bias", metavar="P", help="bias: master, folder, or a level in ADU")
    masters("--dark", metavar="P", help="dark: master or folder")
    masters("--flat", metavar="P", help="flat: master or folder")
    masters("--dark-flat", metavar="P", help="darks of the flats: master or folder")
    out = parser.add_argument_group("output").add_argument
    out("--no-stack", action="store_true", help="take the frames, stack nothing")
    out("--folder", type=Path, metavar="NIGHT", help="default: DATA/date of the noon before/TARGET")
    out("--json", action="store_true", help="one event a line on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Take the series; an exit code, or the StarwellError that ended it."""
    home = config.home()
    rig = config.load(home.config)
    data = Path(rig.data).expanduser() if rig.data else home.data
    named = arguments.camera or rig.rig.camera
    if named is None:
        raise PlanError(f"Say which camera: --camera {KNOWN}.")
    watched = [arguments.folder or data]
    camera = connect(named, seed=arguments.seed, passed_by=watched, zwo_library=rig.zwo_library)
    stopped = _Stopped()
    narrator = Narrator(json=arguments.json)
    camera.open()
    try:
        target = _target(arguments, camera)
        night = Night(arguments.folder or night_folder(data, target))
        call = _Call(arguments, camera, target, night, Remembered(home.state), rig)
        taken = call.carry_out(stopped.event, narrator)
    finally:
        narrator.close()
        camera.close()
        stopped.restore()
    narrator.end(taken, night.folder, interrupted=bool(stopped.code))
    return stopped.code


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the command, its camera open."""

    arguments: argparse.Namespace
    camera: Camera
    target: str | None
    night: Night
    remembered: Remembered
    rig: Config

    def carry_out(self, cancel: threading.Event, narrator: Narrator) -> int:
        """Take the frames, and tell; how many there are. StarwellError when there is not one."""
        series, celsius = _series(self.arguments, self.camera, self.remembered, self.target)
        if kept := _as_last_time(self.arguments, series, celsius):
            narrator.say(f"as last time: {kept}")
        live = self._live(series)
        if live is not None or not isinstance(self.camera, FileCamera):
            self.night.prepare()
        if isinstance(self.camera, SimulatedCamera):
            self.camera.go_on_after(self.night.taken())
        job = SingleRun(
            self.camera,
            self.night,
            series,
            cancel,
            rig=self.rig.rig,
            keywords=_keywords(self.rig),
            celsius=celsius,
            live=live,
            progress=narrator.exposed,
        )
        self._tell(job, narrator, celsius)
        for warning in live.warnings if live else ():
            narrator.say(f"[yellow]warning[/] {escape(warning)}")
        if not job.capture.taken and not cancel.is_set():
            raise StarwellError(f"Not one frame was taken: {job.capture.why}")
        return job.capture.taken

    def _live(self, series: Series) -> LiveStacks | None:
        asked = self.arguments
        if asked.no_stack or series.exposure.kind is not Kind.LIGHT:
            return None
        return LiveStacks(self.night, MasterPaths(asked.bias, asked.dark, asked.flat, asked.dark_flat))

    def _tell(self, job: SingleRun, narrator: Narrator, celsius: float | None) -> None:
        """Run the job under the narrator; remember its settings once the first light is there."""
        narrator.begin(job.series)
        keep = job.series.exposure.kind is Kind.LIGHT and not isinstance(self.camera, FileCamera)
        for event in job.events():
            narrator.tell(event)
            if keep and isinstance(event, FrameTaken):
                keep = False
                used = _used(self.camera, job.series.exposure, celsius)
                self.remembered.keep(self.camera.facts.uid, self.target, used)


def _used(camera: Camera, shot: Exposure, celsius: float | None) -> Settings:
    """The settings of an exposure, gain and offset as the camera reads them back."""
    controls = camera.controls()
    gain, offset = (camera.get(c) if c in controls else None for c in (Control.GAIN, Control.OFFSET))
    return Settings(shot.seconds, gain, offset, shot.bin, celsius)


def _target(arguments: argparse.Namespace, camera: Camera) -> str | None:
    """As given, or as the files or the simulated sky say; for files at last the folder's name."""
    if arguments.target:
        return str(arguments.target)
    if isinstance(camera, FileCamera):
        return camera.target or camera.folder.resolve().name
    return camera.target if isinstance(camera, SimulatedCamera) else None


def _series(
    arguments: argparse.Namespace, camera: Camera, remembered: Remembered, target: str | None
) -> tuple[Series, float | None]:
    """What to take, and at which temperature: as given, else as last time."""
    kind = _KINDS[arguments.kind]
    if isinstance(camera, FileCamera):
        return Series(Exposure(kind), arguments.frames, arguments.target), arguments.temperature
    last = remembered.of(camera.facts.uid, target)
    seconds = 0.0 if kind is Kind.BIAS else arguments.exposure
    if seconds is None and kind in (Kind.LIGHT, Kind.DARK):
        seconds = last.seconds
    if seconds is None:
        raise PlanError("Say how long to expose: --exposure S, in seconds.")
    exposure = Exposure(
        kind,
        seconds,
        last.gain if arguments.gain is None else arguments.gain,
        last.offset if arguments.offset is None else arguments.offset,
        arguments.bin or last.bin or 1,
        arguments.roi,
        arguments.filter,
    )
    celsius = last.celsius if arguments.temperature is None else arguments.temperature
    return Series(exposure, arguments.frames, target), celsius


def _as_last_time(arguments: argparse.Namespace, series: Series, celsius: float | None) -> str:
    """The settings nobody gave, in words; empty when all were given or are the camera's own."""
    shot = series.exposure
    told = {
        "exposure": (arguments.exposure, shot.seconds, " s"),
        "gain": (arguments.gain, shot.gain, ""),
        "offset": (arguments.offset, shot.offset, ""),
        "temperature": (arguments.temperature, celsius, " °C"),
    }
    words = [f"{name} {used:g}{unit}" for name, (given, used, unit) in told.items() if given is None and used]
    return ", ".join(words)


def _keywords(rig: Config) -> dict[str, object]:
    """What every header says of the rig; and of the clock, where it is known to be wrong."""
    keywords: dict[str, object] = dict(rig.keywords())
    if clock_is_synchronised() is False:
        keywords["CLOCKSYN"] = False
    return keywords


class _Stopped:
    """Ctrl-C and SIGTERM end the series in order; a second one ends the program at once.

    A terminal that goes away (SIGHUP) ends nothing.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.code = 0
        self._before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.code = 128 + number
        # Not set here: the main thread may hold the event's own lock where the signal struck it.
        threading.Thread(target=self.event.set).start()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 7200:
        raise argparse.ArgumentTypeError(f"{text} is not 0 to 7200 seconds")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _roi(text: str) -> Roi:
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError(f"{text} is not X,Y,W,H")
    return Roi(*(int(part) for part in parts))
