"""The simulated sky seen by a camera: exposures take time, the sensor cools, and faults come as scripted.

Deterministic: the n-th light, dark, … of a seed is always the same at the same settings and temperature.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from starwell.camera.clock import TICK_S, Clock
from starwell.camera.cooler import Climate, Cooler
from starwell.camera.protocol import CameraFacts, Control, ControlRange, Progress, Telemetry
from starwell.camera.readout import Readout, binned, chip_at, cut_off, window
from starwell.camera.sky import Defocus, Sky, SkyPlan, demo_plan
from starwell.errors import Aborted, CameraError, CameraGone, CameraNotFound, ControlRefused, Transient
from starwell.frame import Exposure, Frame, Kind

NAME = "simulated"
_WATCHDOG_S = 15.0
_BINS = (1, 2, 3, 4)

_CONTROLS: Mapping[Control, ControlRange] = MappingProxyType(
    {
        r.control: r
        for r in (
            ControlRange(Control.GAIN, 0, 500, 100, unit="0.1 dB"),
            ControlRange(Control.OFFSET, 0, 200, 50),
            ControlRange(Control.TARGET_CELSIUS, -40, 30, 0, unit="°C"),
            ControlRange(Control.COOLER, 0, 1, 0),
            ControlRange(Control.FAN, 0, 1, 1),
            ControlRange(Control.DEW_HEATER, 0, 1, 0),
            ControlRange(Control.USB_BANDWIDTH, 40, 100, 40, unit="%"),
            ControlRange(Control.HIGH_SPEED, 0, 1, 0),
        )
    }
)


class Fault(StrEnum):
    """What can be made to go wrong with one exposure.

    fail: it ends without a frame. hang: it never ends, until the watchdog does. drop: the frame is lost and
    the next one tells. corrupt: it comes cut off, and nothing says so. abort: somebody else ended it. unplug:
    the camera is gone, until `plug_in`.
    """

    FAIL = "fail"
    HANG = "hang"
    DROP = "drop"
    CORRUPT = "corrupt"
    ABORT = "abort"
    UNPLUG = "unplug"


class SimulatedCamera:
    """One simulated camera.

    faults: by exposure, from 1 on. darks_warmer_k: than it says. epoch: when simulated second 0 was.
    """

    def __init__(
        self,
        plan: SkyPlan | None = None,
        *,
        speed: float = 1.0,
        faults: Mapping[int, Fault] | None = None,
        climate: Climate | None = None,
        darks_warmer_k: float = 0.0,
        epoch: datetime | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.plan = plan or demo_plan(size=(800, 1200))
        self._clock = clock or Clock(speed)
        self._faults = dict(faults or {})
        self._darks_warmer_k = darks_warmer_k
        self._panel_e_s: float | None = None
        self._taken = Counter[Kind]()
        self._epoch = epoch or datetime.now(UTC)
        self._cooler = Cooler(climate or Climate())
        self._values = {control: r.default for control, r in _CONTROLS.items()}
        self._values |= {Control.GAIN: self.plan.chip.gain, Control.OFFSET: self.plan.chip.offset_setting}
        self._asked = self._dropped = self._dropped_before = 0
        self._lock = threading.Lock()
        self._focuser: tuple[Defocus, ...] = ()
        self._sky: Sky | None = None
        self._renderer: ThreadPoolExecutor | None = None
        self._plugged_in = True

    @property
    def facts(self) -> CameraFacts:
        """What it is."""
        plan = self.plan
        return CameraFacts(
            driver=NAME,
            uid=f"seed={plan.seed}",
            name=plan.chip.name,
            width=plan.size[1],
            height=plan.size[0],
            pixel_um=plan.chip.pixel_um,
            bayer=plan.bayer,
            adc_bits=plan.chip.bits,
            bins=_BINS,
            cooled=True,
            usb3=True,
        )

    @property
    def pace(self) -> float:
        """Simulated seconds to a real one."""
        return self._clock.speed

    @property
    def target(self) -> str:
        """What the simulated telescope points at."""
        return self.plan.target

    def shine(self, e_s: float | None) -> None:
        """Let flats see a panel of so many e-/s per px where nothing shades it; None: as the plan has it."""
        self._panel_e_s = e_s

    def defocus(self, diameter_px: float) -> None:
        """Turn the focuser until stars are rings of this outer diameter; 0 is sharp."""
        self._focuser = (Defocus(range(sys.maxsize), diameter_px),) if diameter_px > 0 else ()

    def go_on_after(self, taken: Mapping[Kind, int]) -> None:
        """The night has so many frames of each kind already; the sky goes on after them."""
        self._taken = Counter(taken)

    def open(self) -> None:
        """Take it; CameraNotFound while it is unplugged."""
        if not self._plugged_in:
            raise CameraNotFound(f"{self.plan.chip.name} is unplugged.")
        self._sky = self._sky or Sky(self.plan)
        self._renderer = self._renderer or ThreadPoolExecutor(1, "simulated-sky")

    def close(self) -> None:
        """Let it go."""
        if self._renderer is not None:
            self._renderer.shutdown(wait=False, cancel_futures=True)
            self._renderer = None

    def plug_in(self) -> None:
        """Undo an unplug; the camera can be opened again."""
        self._plugged_in = True

    def controls(self) -> Mapping[Control, ControlRange]:
        """What can be set, and how far."""
        return _CONTROLS

    def get(self, control: Control) -> float:
        """Read a control back."""
        self._check()
        return self._values[control]

    def set(self, control: Control, value: float) -> float:
        """Set a control; whole numbers only, as the real ones have it."""
        self._check()
        limits = _CONTROLS[control]
        if not limits.low <= value <= limits.high:
            raise ControlRefused(
                f"{control} {value:g} is out of range: this camera takes {limits.low:g} to {limits.high:g}."
            )
        with self._lock:
            self._cooler.advance(self._clock.now())
            self._values[control] = float(round(value))
            self._cooler.on = bool(self._values[Control.COOLER])
            self._cooler.target_celsius = self._values[Control.TARGET_CELSIUS]
        return self._values[control]

    def telemetry(self) -> Telemetry:
        """Temperature to 0.1 °C, power to 1 %; nothing while unplugged."""
        if not self._plugged_in:
            return Telemetry()
        with self._lock:
            self._cooler.advance(self._clock.now())
            return Telemetry(
                sensor_celsius=round(self._cooler.celsius, 1),
                cooler_percent=float(round(100 * self._cooler.power)),
                target_celsius=self._values[Control.TARGET_CELSIUS],
                cooler_on=self._cooler.on,
                dropped=self._dropped,
            )

    def expose(self, exposure: Exposure, cancel: threading.Event, progress: Progress | None = None) -> Frame:
        """One frame, after as long as it takes; Aborted within 50 ms of cancel."""
        self._check()
        readout = self._readout(exposure)
        self._asked += 1
        fault = self._faults.get(self._asked)
        if fault is Fault.DROP:
            self._dropped += 1
            self._dropped_before += 1
            self._clock.spend(readout.seconds, cancel, progress)
            self._next(exposure.kind)
            fault = None
        start = self._clock.now()
        if fault not in (None, Fault.CORRUPT):
            self._go_wrong(fault, readout.seconds, cancel, progress)
        assert self._renderer is not None
        rendering = self._renderer.submit(self._render, readout, self._next(exposure.kind))
        self._clock.spend(readout.seconds, cancel, progress)
        frame = self._drawn(rendering, cancel)
        started = self._epoch + timedelta(seconds=start)
        lost, self._dropped_before = self._dropped_before, 0
        facts = replace(frame.facts, number=self._asked, started=started, dropped_before=lost)
        return Frame(facts, cut_off(frame.pixels) if fault is Fault.CORRUPT else frame.pixels)

    def stream(self, exposure: Exposure, cancel: threading.Event) -> Iterator[Frame]:
        """Frames until cancelled."""
        with contextlib.suppress(Aborted):
            while not cancel.is_set():
                yield self.expose(exposure, cancel)

    def _check(self) -> None:
        if not self._plugged_in:
            raise CameraGone(f"{self.plan.chip.name} does not answer any more: it was unplugged.")
        if self._renderer is None:
            raise CameraError(f"{self.plan.chip.name} is not open.")

    def _next(self, kind: Kind) -> int:
        """Which frame of its kind, from 0, the next one is."""
        self._taken[kind] += 1
        return self._taken[kind] - 1

    def _readout(self, exposure: Exposure) -> Readout:
        """The settings this camera really takes for an exposure; ControlRefused for impossible ones."""
        gain = self._values[Control.GAIN] if exposure.gain is None else exposure.gain
        offset = self._values[Control.OFFSET] if exposure.offset is None else exposure.offset
        gain, offset = self.set(Control.GAIN, gain), self.set(Control.OFFSET, offset)
        seconds = 0.0 if exposure.kind is Kind.BIAS else exposure.seconds
        if seconds is None or not (math.isfinite(seconds) and 0 <= seconds <= 2000):
            raise ControlRefused(f"An exposure of {seconds} s is out of range: 0 to 2000 s can be asked for.")
        if exposure.bin not in _BINS:
            raise ControlRefused(f"Binning {exposure.bin} is not offered: {_BINS[0]} to {_BINS[-1]} are.")
        told = self.telemetry()
        assert told.sensor_celsius is not None
        return Readout(
            exposure=replace(exposure, seconds=seconds, gain=gain, offset=offset),
            seconds=seconds,
            celsius=told.sensor_celsius,
            setpoint_celsius=told.target_celsius if told.cooler_on else None,
            roi=window(exposure.roi, self.plan.size, exposure.bin, self.facts.roi_step),
        )

    def _render(self, readout: Readout, i: int) -> Frame:
        assert self._sky is not None
        exposure, base, seconds = readout.exposure, self.plan.chip, readout.seconds
        warmer = self._darks_warmer_k if exposure.kind in (Kind.DARK, Kind.DARK_FLAT) else 0.0
        chip = chip_at(base, exposure.gain, exposure.offset, readout.celsius + warmer)
        shot_through = exposure.filter if exposure.kind in (Kind.LIGHT, Kind.FLAT) else None
        optics = replace(self.plan.optics, defocused=self.plan.optics.defocused + self._focuser)
        sky = self._sky.varied(chip=chip, filter=shot_through, flat_seconds=seconds, optics=optics)
        match exposure.kind:
            case Kind.LIGHT:
                frame = sky.light(i, seconds)
            case Kind.DARK:
                frame = sky.dark(i, seconds)
            case Kind.BIAS:
                frame = sky.bias(i)
            case Kind.DARK_FLAT:
                frame = sky.dark_flat(i)
            case Kind.FLAT:
                own_e_s = 0.5 * base.usable_e / self.plan.flat_seconds
                panel_e_s = own_e_s if self._panel_e_s is None else self._panel_e_s
                frame = sky.flat(i, panel_e_s * seconds / chip.usable_e)
        return binned(frame, readout)

    def _drawn(self, rendering: Future[Frame], cancel: threading.Event) -> Frame:
        """The frame, as soon as it is there; Aborted on cancel."""
        while not rendering.done():
            if cancel.wait(TICK_S / 4):
                raise Aborted("The exposure was aborted during the readout.")
        return rendering.result()

    def _go_wrong(
        self, fault: Fault | None, seconds: float, cancel: threading.Event, progress: Progress | None
    ) -> None:
        """Raise what the fault comes to, when it does."""
        if fault is Fault.HANG:
            self._clock.spend(2 * seconds + _WATCHDOG_S, cancel, progress)
            raise Transient(f"The exposure did not end within {2 * seconds + _WATCHDOG_S:g} s (scripted).")
        if fault is Fault.FAIL:
            self._clock.spend(seconds, cancel, progress)
            raise Transient("The camera reports a failed exposure (scripted).")
        self._clock.spend(seconds / 2, cancel, progress)
        if fault is Fault.ABORT:
            raise Aborted("The exposure was ended by somebody else (scripted).")
        self._plugged_in = False
        self.close()
        raise CameraGone(f"{self.plan.chip.name} was unplugged (scripted).")
