"""What an engine works with on this computer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starwell.camera.protocol import Camera
from starwell.config import Config
from starwell.session.enough import available_bytes
from starwell.session.guiding import Guider
from starwell.session.plan import Plan


@dataclass(frozen=True, slots=True)
class Setup:
    """What an engine works with. connect: the camera of a name, passing by a night's own folder.

    state: where settings are remembered. data: where nights go. keywords: of this computer, for headers.
    guider: in place of the plan's. now: the wall clock. available_bytes: memory to be had.
    """

    connect: Callable[[str, Path | None], Camera]
    state: Path
    data: Path
    config: Config = field(default_factory=Config)
    keywords: dict[str, object] = field(default_factory=dict)
    guider: Guider | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    available_bytes: Callable[[], int | None] = available_bytes

    def site(self, plan: Plan) -> tuple[float, float] | None:
        """Latitude and longitude tonight."""
        if plan.site is not None:
            return plan.site.latitude_deg, plan.site.longitude_deg
        site = self.config.site
        return None if site.latitude is None or site.longitude is None else (site.latitude, site.longitude)
