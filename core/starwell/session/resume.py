"""Where a night stands: what a checkpoint and a journal say of its stacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from starwell.measure.quality import Reason
from starwell.session.checkpoint import Checkpoint, Position
from starwell.session.events import Event, SubRejected
from starwell.session.journal import AnyRecord, AnyStackCommand, Journal, StackCommand
from starwell.session.members import Members, stacked_event
from starwell.session.stacks import Stacks


class Tally(msgspec.Struct, frozen=True):
    """How many subs are in the stacks of a night, and how many are not; livetime_s None: not known."""

    stacked: int = 0
    rejected: int = 0
    unreadable: int = 0
    livetime_s: float | None = None


def tally_of(stacks: Stacks, fed: int) -> Tally:
    """The tally when so many subs have been fed."""
    members = [stack.pipeline.members for stack in stacks.all]
    lost = sum(member.unreadable for m in members for member in m.by_number.values())
    known, stacked = sum(len(m.by_number) for m in members), sum(m.count() for m in members)
    times = [m.livetime_s() for m in members if m.count()]
    seconds = [time for time in times if time is not None]
    return Tally(
        stacked=stacked,
        rejected=known - stacked - lost,
        unreadable=max(0, fed - known) + lost,
        livetime_s=sum(seconds) if seconds and len(seconds) == len(times) else None,
    )


def take_up(checkpoint: Checkpoint, stacks: Stacks, journal: Journal) -> Position:
    """Fill the stacks from the checkpoint, where there is one of this journal; empty them where not."""
    stacks.close()
    position = checkpoint.load(stacks)
    if position is None:
        return Position()
    if position.commands > len(commands_of(journal.records)) or not position.fed <= journal.lights.keys():
        stacks.close()
        return Position()
    return position


def commands_of(records: Sequence[AnyRecord]) -> list[AnyStackCommand]:
    """What was done to the stacks, in the order in which it was done.

    After a crash the subs are fed again; a command given meanwhile stands behind those of the first time in
    the journal, and may all the same have come before them.
    """
    return sorted((r for r in records if isinstance(r, StackCommand)), key=lambda command: command.after)


def what_is_known(stacks: Stacks) -> Iterator[Event]:
    """What became of every sub so far, by number, for whoever was not there."""
    where = {n: stack for stack in stacks.all for n in stack.pipeline.members.by_number}
    for number in sorted(where):
        stack = where[number]
        event = _became(stack.pipeline.members, number)
        yield msgspec.structs.replace(event, stack=stack.label)


def _became(members: Members, number: int) -> Event:
    member = members[number]
    if member.stacked:
        return stacked_event(members, number)
    by_hand = member.reason == Reason.REJECTED_BY_HAND
    if member.unreadable:
        return SubRejected(number=number, reason="unreadable", detail=member.reason or "")
    return SubRejected(number=number, reason=member.reason or Reason.NO_MATCH, by_hand=by_hand)
