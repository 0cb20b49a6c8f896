"""Where a night stands: what a checkpoint and a journal say of its stacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from starwell.measure.quality import Reason
from starwell.session.checkpoint import Checkpoint, Position
from starwell.session.events import Event, QualityAdvice, SubRejected
from starwell.session.journal import (
    AnyRecord,
    AnyStackCommand,
    Journal,
    MastersChosen,
    MergedByHand,
    RejectedByHand,
    Restacked,
    RestoredByHand,
    StackCommand,
)
from starwell.session.members import Members, stacked_event
from starwell.session.plan import MasterPaths
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
    restacks = sum(map(begins_anew, journal.records))
    position = checkpoint.load(stacks)
    if position is not None and _is_of(position, journal, restacks):
        return position
    stacks.close()
    stacks.masters = _first_masters(journal.records)
    return Position(restacks=restacks)


def commands_of(records: Sequence[AnyRecord]) -> list[AnyStackCommand]:
    """What was done to the stacks, in the order in which it was done.

    After a crash the subs are fed again; a command given meanwhile stands behind those of the first time in
    the journal, and may all the same have come before them. What was done before all was stacked anew is
    done again then, but for the choice of masters.
    """
    anew = _last_restack(records)
    commands = (
        r
        for i, r in enumerate(records)
        if isinstance(r, StackCommand)
        and not begins_anew(r)
        and (i > anew or not isinstance(r, MastersChosen))
    )
    return sorted(commands, key=lambda command: command.after)


def begins_anew(record: AnyRecord) -> bool:
    """Whether all stacks were begun anew."""
    return isinstance(record, Restacked) or (isinstance(record, MastersChosen) and record.restack)


def masters_of(records: Sequence[AnyRecord]) -> MasterPaths | None:
    """What was last chosen; None: what the plan names."""
    chosen = [record.masters for record in records if isinstance(record, MastersChosen)]
    return msgspec.convert(chosen[-1], MasterPaths) if chosen else None


def carried_out(stacks: Stacks, command: AnyStackCommand) -> Iterator[Event]:
    """Do to the stacks what a record says."""
    match command:
        case RejectedByHand(number=number):
            return stacks.reject(number)
        case RestoredByHand(number=number):
            return stacks.restore(number)
        case MergedByHand():
            return stacks.merge()
        case MastersChosen(masters=masters):
            return stacks.use(msgspec.convert(masters, MasterPaths))
        case _:
            return stacks.finish()


def _is_of(position: Position, journal: Journal, restacks: int) -> bool:
    """Whether a checkpoint belongs to what the journal says was done since the stacks were begun."""
    done = position.commands <= len(commands_of(journal.records))
    return done and position.restacks == restacks and position.fed <= journal.lights.keys()


def _last_restack(records: Sequence[AnyRecord]) -> int:
    return max((i for i, record in enumerate(records) if begins_anew(record)), default=-1)


def _first_masters(records: Sequence[AnyRecord]) -> MasterPaths | None:
    """What the stacks were begun with."""
    return masters_of(records[: _last_restack(records) + 1])


def told_of_gone(paths: Sequence[Path]) -> QualityAdvice:
    """That files of these subs are not there any more, and what that means."""
    these = "is one sub" if len(paths) == 1 else f"are {len(paths)} subs"
    advice = (
        f"There {these} of this night whose file is gone, the first is {paths[0]}. What a checkpoint "
        "holds of them stays in the stack, but can't be rejected or restored."
    )
    return QualityAdvice(subject="files", advice=advice, serious=True)


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
