"""One opened ZWO camera: its controls, its window, and what they are really set to."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from starwell.camera.protocol import Control, ControlRange, Telemetry
from starwell.camera.zwo_finding import Taken
from starwell.camera.zwo_readout import Scale, readout_for, scale_of
from starwell.camera.zwo_sdk import RAW8, Listed, Sdk, Setting, Span, Status
from starwell.errors import CameraError, ControlRefused, Transient
from starwell.frame import Bayer, Exposure, Kind, Pixels

CONTROLS: Mapping[Control, tuple[Setting, str]] = {
    Control.TARGET_CELSIUS: (Setting.TARGET_TEMP, "°C"),
    Control.COOLER: (Setting.COOLER_ON, ""),
    Control.FAN: (Setting.FAN_ON, ""),
    Control.DEW_HEATER: (Setting.DEW_HEATER, ""),
    Control.USB_BANDWIDTH: (Setting.BANDWIDTH, "%"),
    Control.HIGH_SPEED: (Setting.HIGH_SPEED, ""),
    Control.GAIN: (Setting.GAIN, "0.1 dB"),
    Control.OFFSET: (Setting.OFFSET, "ADU"),
}
_NEUTRAL = {  # other programs leave these set, and each of them bends, moves or mirrors the pixels
    Setting.FLIP: 0,
    Setting.WB_R: 50,
    Setting.WB_B: 50,
    Setting.GAMMA: 50,
    Setting.HIGH_SPEED: 0,
    Setting.HARDWARE_BIN: 0,
    Setting.MONO_BIN: 0,
    Setting.OVERCLOCK: 0,
    Setting.PATTERN_ADJUST: 0,
}
_TRIES = 3
_PAUSE_S = 0.05
_TELEMETRY_WAIT_S = 0.3


@dataclass(frozen=True, slots=True)
class Applied:
    """How the next frames will be taken, as read back from the camera."""

    exposure: Exposure
    shape: tuple[int, int]
    dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
    bayer: Bayer | None
    scale: Scale

    @property
    def seconds(self) -> float:
        """The exposure time; always known here."""
        return self.exposure.seconds or 0.0


class ZwoLink:
    """An open camera; a camera that was plugged in again gets a new one.

    Every SDK call on one camera waits for the one before (the SDK is not thread-safe), but none lasts long:
    exposures are polled.
    """

    def __init__(self, sdk: Sdk, taken: Taken) -> None:
        self.sdk = sdk
        self.uid = taken.uid
        self.camera_id = taken.camera.camera_id
        self.lock = threading.RLock()
        self.changes = 0
        self.flags: tuple[str, ...] = ()
        self._camera = taken.camera
        self._claim = taken.claim
        self._telemetry = Telemetry()
        try:
            self._spans = sdk.spans(self.camera_id)
            self.stop()
            sdk.code("ASIDisableDarkSubtract", self.camera_id)
            self.flags = self._neutralise()
        except CameraError:
            self.close()
            raise

    @property
    def camera(self) -> Listed:
        """What the SDK says it is."""
        return self._camera

    def close(self) -> None:
        """Stop and let go; never raises."""
        self.stop()
        self.sdk.close(self.camera_id)
        self._claim.release()

    def stop(self) -> None:
        """End whatever runs, also what a program that crashed has left running."""
        with self.lock:
            self.sdk.code("ASIStopVideoCapture", self.camera_id)
            self.sdk.code("ASIStopExposure", self.camera_id)

    def download(self, pixels: Pixels) -> None:
        """The finished exposure, into the array."""
        with self.lock:
            self.sdk.download(self.camera_id, pixels)

    def drain(self, pixels: Pixels) -> None:
        """Throw away the partial frame that a stopped exposure leaves as if it were a whole one."""
        with self.lock:
            try:
                if self.sdk.status(self.camera_id) is Status.SUCCESS:
                    self.sdk.download(self.camera_id, pixels)
            except CameraError:
                return  # nothing there to throw away

    def is_listed(self) -> bool:
        """Whether it is still connected under its id."""
        with self.lock:
            return any(one.camera_id == self.camera_id for one in self.sdk.listed())

    def dropped(self) -> int:
        """Frames the video lost since its start."""
        with self.lock:
            return self.sdk.dropped(self.camera_id)

    def controls(self) -> dict[Control, ControlRange]:
        """What can be set."""
        return {
            control: ControlRange(control, span.low, span.high, span.default, 1.0, unit, span.writable)
            for control, (setting, unit) in CONTROLS.items()
            if (span := self._spans.get(setting))
        }

    def get(self, control: Control) -> float:
        """A control's value; ControlRefused where the camera has none."""
        self._span(control)
        return float(self._value(CONTROLS[control][0]))

    def set(self, control: Control, value: float) -> float:
        """Set a control and read it back."""
        span, setting = self._span(control), CONTROLS[control][0]
        if not span.writable or not span.low <= value <= span.high:
            raise ControlRefused(f"{control} {value:g} is not within {span.low}..{span.high}")
        with self.lock:
            self.changes += 1
            self._put(setting, round(value))
            return float(self._value(setting))

    def telemetry(self) -> Telemetry:
        """What the camera says of itself; what it said last, while a frame is downloaded."""
        if not self.lock.acquire(timeout=_TELEMETRY_WAIT_S):
            return self._telemetry
        try:
            celsius = self._maybe(Setting.TEMPERATURE)
            power = self._maybe(Setting.COOLER_POWER)
            target = self._maybe(Setting.TARGET_TEMP)
            cooler = self._maybe(Setting.COOLER_ON)
            self._telemetry = Telemetry(
                sensor_celsius=None if celsius is None else celsius / 10,
                cooler_percent=None if power is None else float(power),
                target_celsius=None if target is None else float(target),
                cooler_on=None if cooler is None else bool(cooler),
                dropped=self.sdk.dropped(self.camera_id),
            )
        finally:
            self.lock.release()
        return self._telemetry

    def apply(self, exposure: Exposure) -> Applied:
        """Set window, exposure, gain and offset, in this order, and read all of them back."""
        with self.lock:
            wanted = readout_for(exposure, self._camera)
            if self.sdk.readout(self.camera_id) != wanted:
                self.sdk.set_readout(self.camera_id, wanted)
            self._put(Setting.EXPOSURE, self._microseconds(exposure))
            for setting, value in ((Setting.GAIN, exposure.gain), (Setting.OFFSET, exposure.offset)):
                if value is not None:
                    self._checked(setting, value)
                    self._put(setting, round(value))
            return self.applied(exposure)

    def applied(self, exposure: Exposure) -> Applied:
        """What the camera is set to now."""
        with self.lock:
            readout = self.sdk.readout(self.camera_id)
            self._camera = self.sdk.opened(self.camera_id)  # e-/ADU is of the gain set now
            whole = exposure.roi is None and readout.roi[:2] == (0, 0)
            read_back = replace(
                exposure,
                seconds=self._value(Setting.EXPOSURE) / 1e6,
                gain=float(self._value(Setting.GAIN)),
                offset=None if (level := self._maybe(Setting.OFFSET)) is None else float(level),
                bin=readout.bin,
                roi=None if whole else readout.roi,
            )
        return Applied(
            exposure=read_back,
            shape=(readout.roi.height, readout.roi.width),
            dtype=np.dtype(np.uint8) if readout.format == RAW8 else np.dtype(np.uint16),
            bayer=self._camera.bayer and self._camera.bayer.shifted(readout.roi.x, readout.roi.y),
            scale=scale_of(self._camera, readout),
        )

    def _neutralise(self) -> tuple[str, ...]:
        """Put right what bends linearity; what cannot be put right is told with every frame."""
        wrong = []
        bandwidth = self._spans.get(Setting.BANDWIDTH)
        wanted: dict[Setting, int] = dict(_NEUTRAL)
        if bandwidth:
            wanted[Setting.BANDWIDTH] = bandwidth.low
        for setting, value in wanted.items():
            span = self._spans.get(setting)
            if span is None or not span.writable or not span.low <= value <= span.high:
                continue
            self._put(setting, value)
            if (left := self._value(setting)) != value and setting is not Setting.BANDWIDTH:
                wrong.append(f"{setting.name.lower()} stays at {left}: the pixels are not linear")
        return tuple(wrong)

    def _microseconds(self, exposure: Exposure) -> int:
        shortest = self._spans[Setting.EXPOSURE].low
        if exposure.kind is Kind.BIAS and not exposure.seconds:
            return shortest
        if exposure.seconds is None:
            raise ControlRefused("the exposure has no time: say how many seconds")
        return self._checked(Setting.EXPOSURE, exposure.seconds * 1e6)

    def _checked(self, setting: Setting, value: float) -> int:
        """The value as the SDK wants it, out of range refused: the SDK would clamp it and say nothing."""
        span = self._spans.get(setting)
        if span is None:
            raise ControlRefused(f"{self._camera.name} has no {setting.name.lower()}")
        if not span.low <= value <= span.high:
            unit = 1e6 if setting is Setting.EXPOSURE else 1.0
            raise ControlRefused(
                f"{setting.name.lower()} {value / unit:g} is not within"
                f" {span.low / unit:g}..{span.high / unit:g}"
            )
        return round(value)

    def _put(self, setting: Setting, value: int) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                with self.lock:
                    self.sdk.set(self.camera_id, setting, value)
            except Transient:
                if attempt == _TRIES:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return

    def _value(self, setting: Setting) -> int:
        with self.lock:
            return self.sdk.get(self.camera_id, setting)

    def _maybe(self, setting: Setting) -> int | None:
        return self._value(setting) if setting in self._spans else None

    def _span(self, control: Control) -> Span:
        setting = CONTROLS[control][0]
        if setting not in self._spans:
            raise ControlRefused(f"{self._camera.name} has no {control.replace('_', ' ')}")
        return self._spans[setting]
