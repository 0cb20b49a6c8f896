"""Subs taken out and put back by the user, and undone."""

from __future__ import annotations

from starwell.remote.messages import Reject, Reply, Restore
from starwell_tui.desk import Desk
from starwell_tui.night import Standing, Sub

UNDECIDED = (Standing.EXPOSING, Standing.MEASURING)


async def reject(desk: Desk, sub: Sub | None) -> Reply | None:
    """Take it out, unless it is; what was said."""
    if sub and sub.standing in UNDECIDED:
        return _said(desk, f"Sub {sub.number} is not in the stack yet: j chooses an older one.")
    if sub and sub.standing is not Standing.REJECTED:
        return await _do(desk, Reject(sub.number))
    return None


async def restore(desk: Desk, sub: Sub | None) -> Reply:
    """Put it back; where it is in, undo what was done from this screen last; what was said."""
    done = desk.view.done
    if sub and sub.standing is Standing.REJECTED:
        return await _do(desk, Restore(sub.number))
    if not done:
        return _said(desk, "Nothing to undo: this screen took no sub out and put none back.")
    last = done[-1]
    reply = await desk.ask(Restore(last.number) if isinstance(last, Reject) else Reject(last.number))
    if reply.ok:
        done.pop()
    return reply


async def _do(desk: Desk, command: Reject | Restore) -> Reply:
    reply = await desk.ask(command)
    if reply.ok:
        desk.view.done.append(command)
    return reply


def _said(desk: Desk, words: str) -> Reply:
    reply = Reply(True, words)
    desk.say(reply)
    return reply
