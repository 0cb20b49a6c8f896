"""What is asked of the stacks of a night."""

from __future__ import annotations

from starwell.session.face import (
    AnyCommand,
    Box,
    Look,
    Merge,
    Reject,
    Reply,
    Restore,
    Save,
    Stretch,
)
from starwell.session.night_run import NightRun
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
    return _asked(stacking, command)


def _asked(stacking: Stacking, command: AnyCommand) -> Reply:
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
        case Save():
            stacking.save()
            return Reply(True, "The stack is being written.")
        case _:
            return Reply(False, f"This engine does not know {type(command).__name__}.")
