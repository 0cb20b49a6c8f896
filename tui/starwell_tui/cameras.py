"""The cameras that are connected, as `starwell cameras --json` finds them: none of them is opened."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from starwell_tui.jobs import asked

SIMULATED = "simulated"


class Found(NamedTuple):
    """named: as in a plan; size: width and height, px."""

    named: str
    name: str
    uid: str
    size: tuple[int, int]
    cooled: bool

    @property
    def described(self) -> str:
        """In a line."""
        megapixels = self.size[0] * self.size[1] / 1e6
        return f"{self.name}, {megapixels:.1f} Mpx{', cooled' if self.cooled else ''}"


async def found() -> tuple[list[Found], str]:
    """The cameras, real ones first, and why there may be none."""
    code, out, err = await asked(["cameras", "--json"])
    try:
        drivers = msgspec.json.decode(out) if code == 0 else []
    except msgspec.DecodeError:
        drivers, err = [], out
    cameras = [_camera(driver["driver"], facts) for driver in drivers for facts in driver["cameras"]]
    why = [driver["why"] for driver in drivers if not driver["usable"]]
    return sorted(cameras, key=lambda camera: camera.named == SIMULATED), " ".join([*why, err]).strip()


def _camera(driver: str, facts: dict[str, Any]) -> Found:
    uid = str(facts["uid"])
    named = SIMULATED if driver == SIMULATED else f"{driver}:{uid}"
    return Found(named, str(facts["name"]), uid, (facts["width"], facts["height"]), bool(facts["cooled"]))
