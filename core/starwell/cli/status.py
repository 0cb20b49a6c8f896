"""`starwell status`: how the night stands, in a few lines or as JSON."""

from __future__ import annotations

import argparse

import msgspec

from starwell.remote.client import status
from starwell.remote.messages import Status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `starwell status`."""
    parser.add_argument("--json", action="store_true", help="for machines: one object on one line")


def run(args: argparse.Namespace) -> int:
    """Print the status; 0, or an EngineError when no engine answers."""
    now = status()
    print(msgspec.json.encode(now).decode() if args.json else "\n".join(described(now)))
    return 0


def described(now: Status) -> list[str]:
    """The status for people, line by line; what is not known is left out."""
    lines = [
        _joined(now.state + (f" ({now.why})" if now.why else ""), _frame(now)),
        f"stack   {now.stacked} subs{_livetime(now.livetime_s)}, {now.rejected} rejected",
        f"camera  {_joined(now.camera or 'none', _temperature(now))}",
        f"folder  {_joined(now.folder, _room(now.free_bytes))}",
    ]
    if now.ends:
        lines.append(f"ends    {now.ends}")
    if now.guide_rms_arcsec is not None:
        lines.append(f"guiding {now.guide_rms_arcsec:.2f}″ RMS")
    return lines


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _frame(now: Status) -> str:
    of = f" of {now.frames}" if now.frames is not None else ""
    exposed = f"{now.exposed_s:.0f} of " if now.exposed_s is not None and now.seconds is not None else ""
    exposure = f"{exposed}{now.seconds:g} s" if now.seconds is not None else ""
    shot = " ".join(part for part in (now.target, now.filter, exposure) if part)
    return f"frame {now.frame}{of}" + (f": {shot}" if shot else "")


def _livetime(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f" = {seconds:.0f} s"
    return f" = {minutes // 60} h {minutes % 60} min" if minutes >= 60 else f" = {minutes} min"


def _temperature(now: Status) -> str:
    if now.sensor_celsius is None:
        return ""
    setpoint = f" (setpoint {now.setpoint_celsius:g} °C)" if now.setpoint_celsius is not None else ""
    cooler = f", cooler {now.cooler_percent:.0f} %" if now.cooler_percent is not None else ""
    return f"{now.sensor_celsius:.1f} °C{setpoint}{cooler}"


def _room(free_bytes: int | None) -> str:
    return "" if free_bytes is None else f"{free_bytes / 1e9:.0f} GB free"
