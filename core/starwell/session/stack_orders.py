"""What is asked of the stacks of a night."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from starwell.errors import PlanError
from starwell.session.face import (
    AnyCommand,
    Box,
    Look,
    Merge,
    Reject,
    Reply,
    Restack,
    Restore,
    Save,
    Stretch,
    UseMasters,
)
from starwell.session.night_run import NightRun
from starwell.session.plan import MasterPaths, Plan
from starwell.session.stacking import Stacking


def asked_of_stacks(run: NightRun | None, command: AnyCommand) -> Reply:
    """Have it done by the stacking thread, or say why not; PlanError for what cannot be."""
    night = run.night if run is not None else None
    stacking = night.stacking if night is not None else None
    if night is None or stacking is None:
        return Reply(False, "Nothing is being stacked.")
    if isinstance(command, Reject | Restore) and command.number not in night.journal.lights:
        last = max(night.journal.lights, default=0)
        return Reply(False, f"There is no sub {command.number}; the last one is {last}.")
    return _asked(stacking, command, night.plan)


def _chosen(command: UseMasters, now: MasterPaths) -> MasterPaths:
    """What is used from now on; PlanError for what is not there."""
    asked = {name: getattr(command, name) for name in ("bias", "dark", "flat", "dark_flat")}
    changed = {name: _master(name, path) for name, path in asked.items() if path is not None}
    return msgspec.structs.replace(now, **changed)


def _master(name: str, path: str) -> str | None:
    if path == "none":
        return None
    file = Path(path).expanduser()
    if path == "auto" or (name == "bias" and _is_number(path)):
        return path
    if not file.exists():
        raise PlanError(f"There is no {name.replace('_', ' ')} {path}: name a file or folder, auto or none.")
    return str(file.absolute())


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _asked(stacking: Stacking, command: AnyCommand, plan: Plan) -> Reply:
    match command:
        case Reject(number=number):
            stacking.reject(number)
            return Reply(True, f"Sub {number} is taken out of the stack.")
        case Restore(number=number):
            stacking.restore(number)
            return Reply(True, f"Sub {number} is put back into the stack.")
        case Merge():
            stacking.merge()
            return Reply(True, "The newest split of a stack is undone.")
        case Look():
            stacking.showing.look(command)
            part = " pixel by pixel" if command.crop else ""
            return Reply(True, f"The {command.of} is shown{part}.")
        case Box():
            stacking.showing.measure(command)
            return Reply(True, "The box is measured with every sub." if command.width else "No box any more.")
        case Stretch(name=name, black=black, white=white):
            stacking.showing.stretch(name, black, white)
            return Reply(True, f"Pictures are stretched by {name} from now on.")
        case Restack():
            stacking.restack()
            return Reply(True, "All subs are stacked anew from disk; frames go on being taken.")
        case UseMasters(restack=restack):
            stacking.use_masters(_chosen(command, stacking.masters[0] or plan.masters), restack=restack)
            which = "All subs so far, too, are" if restack else "The subs to come are"
            return Reply(True, f"{which} calibrated with the masters chosen.")
        case Save():
            stacking.save()
            return Reply(True, "The stack is being written.")
        case _:
            return Reply(False, f"This engine does not know {type(command).__name__}.")
