"""A camera that is opened again when it goes away, and its cooler."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec

from starwell.camera.protocol import Camera, Control, Telemetry
from starwell.camera.simulated import SimulatedCamera
from starwell.config import Config
from starwell.errors import CameraBusy, CameraError, CameraGone, CameraNotFound, ControlRefused
from starwell.session.cooling import Cooler
from starwell.session.events import CameraFault, Event
from starwell.session.plan import Cooling, Plan
from starwell.session.wishes import Wishes

_LOOK_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0, 60.0)
"""Five minutes: a cable is found and put back in the dark."""

_LONGEST_WARM_UP_S = 3600.0
_LOOK_S = 0.2


class KeptCamera:
    """The camera of a plan, open from `open` to `close`.

    connect: finds it, not yet opened. publish: hears of faults and temperatures. seen: every telemetry.
    """

    def __init__(
        self,
        connect: Callable[[], Camera],
        plan: Plan,
        wishes: Wishes,
        publish: Callable[[Event], None],
        seen: Callable[[Telemetry], None] | None = None,
    ) -> None:
        self._connect = connect
        self._plan = plan
        self._wishes = wishes
        self._publish = publish
        self._seen = seen
        self._cooling: Cooling | None = None
        self._switched_off = False
        self.camera: Camera | None = None
        self.cooler: Cooler | None = None

    @property
    def pace(self) -> float:
        """Seconds of the camera to one of ours."""
        return self.camera.pace if isinstance(self.camera, SimulatedCamera) else 1.0

    def open(self, *, patient: bool = False) -> Camera:
        """Take the camera; raises what its `open` raises, and ControlRefused for the plan's settings.

        patient: look for it for five minutes, as a computer may be up before its camera is.
        """
        told = False
        for wait_s in _LOOK_AGAIN_S if patient else ():
            try:
                return self._open()
            except (CameraNotFound, CameraBusy) as error:
                if not told:
                    self._publish(CameraFault(message=f"{error} Looking for it.", recovered=False))
                    told = True
                if not self._wishes.wait_unless_ending(wait_s):
                    raise
        return self._open()

    def _open(self) -> Camera:
        camera = self._connect()
        camera.open()
        self.camera = camera
        if camera.controls():
            self.cooler = Cooler(camera, self._publish, pace=self.pace, seen=self._seen)
        self._set_controls(camera)
        return camera

    def cool(self, cooling: Cooling) -> None:
        """Lead the sensor there from now on; ControlRefused where it cannot be."""
        if self.cooler is None:
            raise ControlRefused("Frames from files cannot be cooled: leave the temperature out.")
        self.cooler.cool(cooling)
        self._cooling, self._switched_off = cooling, False

    @property
    def cooling(self) -> Cooling | None:
        """How cold the sensor is to be."""
        return None if self._switched_off else self._cooling

    @property
    def led(self) -> bool:
        """Whether the cooler was led anywhere since the camera was opened."""
        return self._cooling is not None

    def open_again(self, why: CameraError) -> None:
        """Look for a camera that went away; raises why when it does not come back in five minutes."""
        assert self.camera is not None
        self._publish(CameraFault(message=f"{why} Looking for it.", recovered=False))
        self.camera.close()
        for wait_s in _LOOK_AGAIN_S:
            if not self._wishes.wait_unless_ending(wait_s / self.pace):
                raise why
            with contextlib.suppress(CameraNotFound, CameraBusy, CameraGone):
                self.camera.open()
                self._set_controls(self.camera)
                if self.cooler is not None:
                    self.cooler.cool_again()
                self._publish(CameraFault(message="The camera is back.", recovered=True))
                return
        raise why

    def set(self, name: str, value: float) -> float:
        """A control's value, as read back; ControlRefused."""
        assert self.camera is not None
        if name == Control.TARGET_CELSIUS:
            self.cool(msgspec.structs.replace(self._cooling or Cooling(celsius=value), celsius=value))
            return value
        if name == Control.COOLER and self.cooler is not None:
            self._switch(self.cooler, on=bool(value))
            return float(bool(value))
        return self.camera.set(Control(name), value)

    def _switch(self, cooler: Cooler, *, on: bool) -> None:
        """Lead the sensor to its set point, or back to the warmth, never faster than its ramp."""
        assert self.camera is not None
        if on:
            self.cool(self._cooling or Cooling(celsius=self.camera.get(Control.TARGET_CELSIUS)))
        else:
            self._cooling = self._cooling or Cooling(celsius=self.camera.get(Control.TARGET_CELSIUS))
            self._switched_off = True
            cooler.warm_up(self._cooling.ramp_c_per_min)

    def warm_up(self) -> None:
        """Lead the sensor back to the warmth; returns when it is there, or something else is to be done."""
        cooler, cooling = self.cooler, self._cooling
        if cooler is None or cooling is None or not cooler.left_cold:
            return
        cooler.warm_up(cooling.ramp_c_per_min)
        until = time.monotonic() + _LONGEST_WARM_UP_S / self.pace
        while cooler.warming and time.monotonic() < until and not self._wishes.task_waits:
            self._wishes.wait(min(_LOOK_S, 10.0 / self.pace))

    def close(self) -> None:
        """Let the camera go; never raises."""
        if self.cooler is not None:
            self.cooler.close()
        if self.camera is not None:
            self.camera.close()

    def _set_controls(self, camera: Camera) -> None:
        for name, value in self._plan.controls.items():
            camera.set(Control(name), value)


def arcsec_per_px(pixel_um: float | None, focal_mm: float | None, bin_: int) -> float | None:
    """The scale of the main camera; None where it is not known."""
    return 206.265 * pixel_um * bin_ / focal_mm if pixel_um and focal_mm else None


def keywords_of_rig(config: Config, plan: Plan) -> dict[str, Any]:
    """What every header says of rig and site: the configured ones, and what the plan has other tonight."""
    rig, site = plan.rig, plan.site
    tonight = {
        "TELESCOP": rig.telescope,
        "FOCALLEN": rig.focal_mm,
        "APTDIA": rig.aperture_mm,
        "SITELAT": site.latitude_deg if site else None,
        "SITELONG": site.longitude_deg if site else None,
        "SITEELEV": site.elevation_m if site else None,
    }
    return {**config.keywords(), **{k: v for k, v in tonight.items() if v is not None}}
