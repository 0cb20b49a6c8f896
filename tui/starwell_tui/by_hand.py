"""Subs taken out and put back by the user, and undone."""

from __future__ import annotations

from starwell.remote.messages import Reject, Reply, Restore
from starwell_tui.desk import Desk
from starwell_tui.night import Standing, Sub


async def reject(desk: Desk, sub: Sub | None) -> None:
    """Take it out, unless it is."""
    if sub and sub.standing is not Standing.REJECTED:
        await _do(desk, Reject(sub.number))


async def restore(desk: Desk, sub: Sub | None) -> None:
    """Put it back; where it is in, undo what was done from this screen last."""
    done = desk.view.done
    if sub and sub.standing is Standing.REJECTED:
        await _do(desk, Restore(sub.number))
    elif done:
        last = done[-1]
        back = Restore(last.number) if isinstance(last, Reject) else Reject(last.number)
        if (await desk.ask(back)).ok:
            done.pop()
    else:
        desk.say(Reply(True, "Nothing to undo: this screen took no sub out and put none back."))


async def _do(desk: Desk, command: Reject | Restore) -> None:
    if (await desk.ask(command)).ok:
        desk.view.done.append(command)
