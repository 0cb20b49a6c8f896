"""Guiding and dithering around the exposures of a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starwell.camera.protocol import Camera
from starwell.config import Rig
from starwell.frame import Kind
from starwell.session.events import Event, QualityAdvice
from starwell.session.guiding import CommandDither, DitherPolicy, Guider, GuideWatch
from starwell.session.guiding_phd2 import Phd2
from starwell.session.kept_camera import arcsec_per_px
from starwell.session.plan import Plan
from starwell.session.plan_walk import Step
from starwell.session.wishes import Wishes


class Guide:
    """What the walk asks between two frames. rig: as configured; guider None: as the plan says."""

    def __init__(
        self,
        plan: Plan,
        wishes: Wishes,
        publish: Callable[[Event], None],
        rig: Rig,
        *,
        guider: Guider | None = None,
    ) -> None:
        self._plan = plan
        self._wishes = wishes
        self._publish = publish
        self._focal_mm = plan.rig.focal_mm or rig.focal_mm
        self._policy = DitherPolicy(plan.dither)
        self._watch = GuideWatch()
        self._phd2 = guider if guider is not None else _phd2(plan, rig)
        command = plan.dither.command if plan.dither is not None else None
        self._ditherer = CommandDither(command) if command is not None else self._phd2
        self._complained = False

    @property
    def rms_arcsec(self) -> float | None:
        """How well it is guided; None where it is not, or not by us."""
        rms = self._phd2.rms if self._phd2 is not None else None
        return rms.total_arcsec if rms is not None else None

    @property
    def keywords(self) -> dict[str, Any]:
        """For a frame's header."""
        rms = self.rms_arcsec
        return {} if rms is None else {"GUIDERMS": round(rms, 3)}

    def hold(self, kind: Kind) -> str | None:
        """Why an exposure has to wait; None when it may begin."""
        if self._phd2 is None:
            return None
        why = self._watch.before_exposure(self._phd2.state, kind)
        news = self._watch.news(why)
        if news is not None:
            self._publish(news)
        return why

    def dither(self, step: Step, camera: Camera | None) -> None:
        """Move the mount, where the plan wants it before this exposure; an exposure follows in any case."""
        name = step.target.name if step.target is not None else ""
        dither = self._plan.dither
        if self._ditherer is None or dither is None or camera is None:
            return
        if not self._policy.due(step.exposure.kind, name):
            return
        scale = arcsec_per_px(camera.facts.pixel_um, self._focal_mm, step.exposure.bin or 1)
        needs_scale = dither.command is None or "{arcsec}" in dither.command
        if scale is None and needs_scale:
            self._complain("The focal length is not known, so nothing is dithered: set focal_mm of [rig].")
        else:
            done = self._ditherer.dither(dither, scale or 0.0, self._wishes.cancel)
            if done.settled:
                self._complained = False
            elif not self._wishes.cancel.is_set():
                self._complain(f"A dither did not settle: {done.why} The next sub is taken all the same.")
        self._policy.dithered()

    def exposing(self, step: Step) -> None:
        """The shutter opens."""
        self._policy.before_exposure(step.exposure.kind, step.target.name if step.target else "")

    def exposed(self, step: Step) -> None:
        """The shutter is closed."""
        self._policy.after_exposure(step.exposure.kind)

    def close(self) -> None:
        """Let go; guiding itself goes on."""
        for one in {id(g): g for g in (self._phd2, self._ditherer) if g is not None}.values():
            one.close()

    def _complain(self, advice: str) -> None:
        if not self._complained:
            self._complained = True
            self._publish(QualityAdvice(subject="dither", advice=advice))


def _phd2(plan: Plan, rig: Rig) -> Guider | None:
    guiding = plan.guiding
    if guiding is None:
        return None
    scale = guiding.guide_arcsec_per_px or rig.guide_scale_arcsec
    return Phd2(guiding.host, guiding.port, guide_arcsec_per_px=scale)
