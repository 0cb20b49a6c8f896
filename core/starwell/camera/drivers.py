"""`--camera NAME[:REST]` as a camera, and every kind of camera there is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from starwell.camera.chip import Response
from starwell.camera.folder import FolderCamera
from starwell.camera.protocol import Availability, Camera, CameraFacts, Driver
from starwell.camera.simulated import NAME as SIMULATED
from starwell.camera.simulated import Fault, SimulatedCamera
from starwell.camera.sky import demo_plan
from starwell.camera.truths import WARMER_K, Truth, chip_of
from starwell.camera.watch import WatchCamera
from starwell.errors import CameraNotFound, PlanError
from starwell.frame import Bayer

KNOWN = "simulated, zwo, zwo:SERIAL, folder:DIR or watch:DIR"
_SIZE = (800, 1200)


class SimulatedDriver:
    """The simulated camera. Its uid: what is other than usual, as in `speed=60,size=640x480,3=hang`.

    speed: simulated seconds to a real one. size: WxH, px. seed: of the sky. colour: a Bayer mosaic. truth: a
    sensor with one of the faults the flat lab tells apart. response: of its cold pixels. panel: e-/s that
    flats see. defocus: the diameter of the rings that stars are, px. NUMBER=FAULT: what goes wrong with this
    exposure, counted from 1.
    """

    name = SIMULATED

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed

    def available(self) -> Availability:
        """Always."""
        return Availability(True, "part of starwell")

    def discover(self) -> list[CameraFacts]:
        """The one camera."""
        return [self.connect().facts]

    def connect(self, uid: str | None = None) -> Camera:
        """The camera with these options; PlanError for one that is not known."""
        wish = _Wish(self._seed)
        for option in filter(None, (uid or "").split(",")):
            name, _, value = option.partition("=")
            try:
                wish.take(name, value)
            except ValueError:
                raise PlanError(
                    f"simulated:{option} is not understood: speed=60, size=640x480, seed=2, colour, "
                    "panel=0.8, defocus=30, truth=TRUTH, response=SHAPE and NUMBER=FAULT are, where FAULT is "
                    f"{', '.join(Fault)}, TRUTH {', '.join(Truth)} and SHAPE {', '.join(Response)}."
                ) from None
        return wish.camera()


@dataclass(slots=True)
class _Wish:
    """The options of a simulated camera."""

    seed: int
    size: tuple[int, int] = _SIZE
    speed: float = 1.0
    bayer: Bayer | None = None
    truth: Truth | None = None
    response: Response = Response.EXPONENTIAL
    panel_e_s: float | None = None
    defocus_px: float = 0.0
    faults: dict[int, Fault] = field(default_factory=dict)

    def take(self, name: str, value: str) -> None:
        """One option; ValueError for one that is not known."""
        match name:
            case "speed":
                self.speed = _positive(value)
            case "seed":
                self.seed = int(value)
            case "size":
                width, height = (int(part) for part in value.split("x"))
                self.size = height, width
            case "colour":
                self.bayer = Bayer.RGGB
            case "truth":
                self.truth = Truth(value)
            case "response":
                self.response = Response(value)
            case "panel":
                self.panel_e_s = _positive(value)
            case "defocus":
                self.defocus_px = _positive(value)
            case _:
                self.faults[int(name)] = Fault(value)

    def camera(self) -> SimulatedCamera:
        """The camera wished for."""
        plan = demo_plan(size=self.size, seed=self.seed, bayer=self.bayer)
        if self.truth is not None:
            plan = replace(plan, chip=chip_of(self.truth, self.size, self.response))
        warmer = WARMER_K if self.truth is Truth.DARK_MISMATCH else 0.0
        camera = SimulatedCamera(plan, speed=self.speed, faults=self.faults, darks_warmer_k=warmer)
        camera.shine(self.panel_e_s)
        camera.defocus(self.defocus_px)
        return camera


def connect(
    named: str,
    *,
    seed: int = 1,
    passed_by: Collection[Path] = (),
    zwo_library: str | None = None,
) -> Camera:
    """The camera named as in --camera, not yet opened.

    seed: of the simulated sky. passed_by: folders whose files a watch leaves alone. zwo_library: ZWO's SDK,
    where it is not found by itself. Raises PlanError for a name that is none, CameraNotFound.
    """
    name, colon, rest = named.partition(":")
    if name in ("folder", "watch"):
        if not rest:
            raise PlanError(f"--camera {named} needs a folder: {name}:DIR.")
        folder = Path(rest).expanduser()
        return FolderCamera(folder) if name == "folder" else WatchCamera(folder, passed_by=passed_by)
    if colon and not rest:
        raise PlanError(f"--camera {named} ends in a colon: name the camera, or leave the colon out.")
    driver = _driver(name, seed, zwo_library)
    usable, why = driver.available()
    if not usable:
        raise CameraNotFound(f"The {name} driver cannot be used: {why}")
    return driver.connect(rest or None)


def drivers(zwo_library: str | None = None) -> list[Driver]:
    """Every kind of camera that can be looked for."""
    return [_driver(name, 1, zwo_library) for name in ("zwo", SIMULATED)]


def _driver(name: str, seed: int, zwo_library: str | None) -> Driver:
    if name == SIMULATED:
        return SimulatedDriver(seed)
    if name != "zwo":
        raise PlanError(f"There is no kind of camera called '{name}': {KNOWN} are known.")
    # Imported where it is asked for: nobody else waits for ZWO's library.
    from starwell.camera.zwo import ZwoDriver

    return ZwoDriver(Path(zwo_library).expanduser() if zwo_library else None)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value
