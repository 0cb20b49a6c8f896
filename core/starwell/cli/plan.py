"""`starwell plan`: what a plan asks for, how long it takes, and every mistake in it; nothing is begun."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from starwell import config
from starwell.errors import PlanError
from starwell.session.plan import Plan
from starwell.session.plan_ends import Endings
from starwell.session.plan_file import check_plan
from starwell.session.plan_outlook import Outlook, outlook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `starwell plan`."""
    parser.epilog = "exit codes: 0 it can be begun; 2 it has mistakes"
    parser.add_argument("plan", type=Path, metavar="PLAN.toml", help="the plan; - reads it from stdin")
    parser.add_argument("--size", type=_size, metavar="WxH", help="the camera's, px: how much disk it needs")
    parser.add_argument("--json", action="store_true", help="mistakes and outlook for machines")


def run(arguments: argparse.Namespace) -> int:
    """Check the plan; 2 when it has mistakes, each of which is told."""
    settings = config.load(config.home().config)
    site = settings.site
    known = site.latitude is not None and site.longitude is not None
    plan, mistakes = check_plan(
        _text(arguments.plan),
        str(arguments.plan),
        site_known=known,
        filters=settings.rig.filters,
        folder=Path.cwd() if arguments.plan == Path("-") else arguments.plan.parent,
    )
    seen = None if plan is None else _outlook(plan, settings)
    gigabytes = None
    if seen is not None and arguments.size:
        gigabytes = seen.disk_bytes(*arguments.size) / 1e9
    sentences = [] if seen is None or plan is None else list(seen.sentences(_zone(plan)))
    if gigabytes is not None:
        sentences.append(f"It needs {gigabytes:.1f} GB.")
    if arguments.json:
        told: dict[str, Any] = {
            "mistakes": [{"line": m.line, "key": m.key, "message": m.message} for m in mistakes],
            "outlook": sentences,
        }
        print(msgspec.json.encode(told).decode())
    else:
        print("\n".join([*map(str, mistakes), *sentences]) or "It ends when its frames are taken.")
    return 2 if mistakes else 0


def _text(path: Path) -> str:
    try:
        return sys.stdin.read() if path == Path("-") else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise PlanError(f"The plan {path} cannot be read: {fault}.") from fault


def _outlook(plan: Plan, settings: config.Config) -> Outlook:
    """As if it were begun now."""
    latitude, longitude = settings.site.latitude, settings.site.longitude
    if plan.site is not None:
        latitude, longitude = plan.site.latitude_deg, plan.site.longitude_deg
    endings = Endings(plan, datetime.now(UTC), latitude_deg=latitude, longitude_deg=longitude)
    return outlook(plan, endings)


def _zone(plan: Plan) -> ZoneInfo | None:
    return ZoneInfo(plan.timezone) if plan.timezone else None


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not WIDTHxHEIGHT, like 3008x3008")
    return int(width), int(height)
