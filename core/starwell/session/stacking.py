"""The pipeline side of an engine: one thread that owns all stacks, and takes subs and commands in order.

What the stacks are in the end depends on the subs and on the commands between them, never on the time: the
journal holds both, and `resume` gives them to the stacks again as they were given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from starwell.calibration.master import Masters
from starwell.errors import MasterError, StarwellError, StorageError
from starwell.frame import Facts, Frame
from starwell.session.checkpoint import Checkpoint, Position, wear_s
from starwell.session.events import Event, QualityAdvice
from starwell.session.guarded import guarded, refused
from starwell.session.journal import (
    AnyStackCommand,
    Journal,
    MastersChosen,
    MergedByHand,
    RejectedByHand,
    Restacked,
    RestoredByHand,
    SeriesEnded,
)
from starwell.session.night_files import Night
from starwell.session.output import Unit
from starwell.session.pipeline import Pipeline
from starwell.session.plan import MasterPaths, named_of
from starwell.session.resume import (
    Tally,
    carried_out,
    commands_of,
    take_up,
    tally_of,
    told_of_gone,
    what_is_known,
)
from starwell.session.saved_frames import SavedFrames
from starwell.session.showing import Showing
from starwell.session.shown import Shown
from starwell.session.stacks import Stacks
from starwell.session.turns import Chore, Turns, Work

_LATEST_EVERY_S = 20.0


class Stacking:
    """Stacks the lights of a night.

    make: builds a pipeline from the facts of its first sub; its reread may be a SavedFrames of the same night
    and journal. publish: is told every event, from this thread or from the caller of `resume`; it must not
    wait. memory_frames: frames held at most until it is their turn; all others are read from disk again.
    unit: of the stacks on disk.

    put, reject, restore, merge, finish, save, checkpoint and all of showing come from any thread and return
    at once; what became of them is told by events.
    """

    def __init__(
        self,
        night: Night,
        journal: Journal,
        make: Callable[[Facts], Pipeline],
        publish: Callable[[Event], None],
        *,
        memory_frames: int = 2,
        unit: Unit = Unit.FULL_SCALE,
        data: Path | None = None,
        preview_px: tuple[int, int] = (360, 640),
        preview_every_s: float = 2.0,
        checkpoint_every_s: float = 600.0,
        save_every_s: float = 600.0,
    ) -> None:
        self.tally = Tally()
        self._journal = journal
        self._publish = publish
        self._frames = SavedFrames(night, journal)
        self._stacks = Stacks(make, self._frames)
        self._checkpoint = Checkpoint(night.folder / "checkpoint")
        self._shown = Shown(night, publish, self._frames, preview_px, unit, data)
        self._pictures = Chore(preview_every_s, self._shown.publish_stack, at_once=True)
        wear = partial(wear_s, self._stacks)
        self._chores = (
            self._pictures,
            Chore(_LATEST_EVERY_S, self._shown.write_latest, at_once=True),
            Chore(save_every_s, partial(self._shown.save, self._stacks), rests_s=wear),
            Chore(checkpoint_every_s, self._save_checkpoint, rests_s=wear),
        )
        self._turns = Turns(self._feed, self._carry_out_again, self._chores, memory_frames)
        self.showing = Showing(self._turns, self._shown)
        self._position = Position()
        self._unfit: set[int] = set()
        self._again = 0
        """The last of the subs that are stacked again from disk."""
        self._ended: Position | None = None
        self._finish_at_end = False
        self._thread: threading.Thread | None = None

    def resume(self) -> int:
        """Take up the night where its journal and checkpoint leave it; before `start`.

        What the checkpoint holds is told as events now; the subs and commands after it are queued. Lights
        whose journal line was not written any more are adopted. Returns how many subs the night has so far.
        Raises DiskFull when an adopted light cannot be entered into the journal.
        """
        self._frames.adopt()
        if gone := self._frames.gone():
            self._publish(told_of_gone(gone))
        self._take_up(self._journal.lights)
        for event in what_is_known(self._stacks):
            self._publish(event)
        return len(self._journal.lights)

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._work, name="stacking", daemon=True)
        self._thread.start()

    def close(self, *, finish: bool) -> None:
        """End the thread and let the stacks go; returns when all is on disk.

        finish: stack all subs that wait, end the series and save; else only the sub at hand is finished, and
        `resume` will go on with the others. A checkpoint is written in both cases.
        """
        self._finish_at_end = finish
        self._turns.close(hurry=not finish)
        if self._thread is not None:
            self._thread.join()
        self._stacks.close()

    def put(self, number: int, frame: Frame | None = None) -> None:
        """Queue a light that is on disk and in the journal; PlanError for a number that does not rise."""
        self._turns.put(number, frame)

    def reject(self, number: int) -> None:
        """Take a sub out by hand."""
        self._turns.ask(partial(self._by_hand, RejectedByHand(number=number)))

    def restore(self, number: int) -> None:
        """Put a sub back."""
        self._turns.ask(partial(self._by_hand, RestoredByHand(number=number)))

    def merge(self) -> None:
        """Undo the newest split of a stack."""
        self._turns.ask(partial(self._by_hand, MergedByHand()))

    def restack(self) -> None:
        """Begin all stacks anew from the lights on disk."""
        self._turns.ask(partial(self._begin_anew, Restacked()))

    def use_masters(self, masters: MasterPaths, *, restack: bool) -> None:
        """Calibrate with these from now on; restack: and what was stacked before."""
        chosen = MastersChosen(masters=named_of(masters), restack=restack)
        self._turns.ask(partial(self._begin_anew if restack else self._by_hand, chosen))

    def finish(self) -> None:
        """End the series and save, once the subs that wait are stacked; more may come all the same."""
        self._turns.ask_at_last(self._end_series)

    def save(self) -> None:
        """Write every stack and latest.png now."""
        self._turns.ask(partial(self._shown.save, self._stacks, again=True))

    def checkpoint(self) -> None:
        """Write a checkpoint now, at a pause."""
        self._turns.ask(self._save_checkpoint)

    @property
    def masters(self) -> tuple[MasterPaths | None, Masters | None]:
        """What is to calibrate, where that is not as the plan says; and what the newest stack has."""
        latest = self._stacks.latest
        return self._stacks.masters, latest.pipeline.intake.masters if latest is not None else None

    @property
    def backlog(self) -> int:
        """Subs that wait or are being stacked."""
        return self._turns.backlog

    @property
    def held(self) -> int:
        """Frames in memory that wait."""
        return self._turns.held

    def drained(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to do; whether that came about in time."""
        return self._turns.drained(timeout)

    def _work(self) -> None:
        """The thread; only `close` ends it."""
        while (work := self._turns.next()) is not None:
            self._guarded(work)
        self._guarded(self._end_series if self._finish_at_end else self._save_checkpoint)

    def _guarded(self, work: Work) -> None:
        guarded(work, self._publish)

    def _feed(self, number: int, frame: Frame | None) -> None:
        if number not in self._unfit and not self._is_taken(number, frame):
            return
        self._position = self._position.with_sub(number)
        if number == self._again:
            self._guarded(lambda: self._tell(self._stacks.catch_up()))
        self._note_change()

    def _is_taken(self, number: int, frame: Frame | None) -> bool:
        """Give a sub to the stacks; False where it broke one, and all are stacked again without it."""
        try:
            seen = self._frames.seen(number, frame)
            self._tell(self._stacks.feed(seen, more=number < self._again))
        except (StorageError, MasterError) as error:
            self._keep_out(number, error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one sub, the next may be fine
            self._keep_out(number, error)
            if number in self._stacks:
                self._take_up({*self._position.fed, number})
                return False
        else:
            show = self._pictures.left_s == 0
            self._guarded(partial(self._shown.take, seen, show=show))
        return True

    def _keep_out(self, number: int, error: Exception) -> None:
        self._unfit.add(number)
        self._publish(refused(number, error))

    def _take_up(self, numbers: Iterable[int]) -> None:
        """The stacks as the checkpoint has them; of these subs, and of the commands, those it lacks wait."""
        self._position = take_up(self._checkpoint, self._stacks, self._journal)
        commands = commands_of(self._journal.records)[self._position.commands :]
        again = [n for n in numbers if n not in self._position.fed]
        self._again = max(again, default=0)
        self._turns.begin_again(again, commands)
        self._note_change()

    def _by_hand(self, command: AnyStackCommand) -> None:
        """Carry out, write down, tell: what is told is sure to be done again after a crash."""
        try:
            told = list(carried_out(self._stacks, command))
        except StarwellError:
            raise
        except Exception:
            self._take_up(self._position.fed)  # nobody knows what is in the stacks now
            raise
        try:
            self._write_down(command)
            self._position = self._position.with_command()
        finally:
            self._tell(told)
            self._note_change()

    def _begin_anew(self, command: MastersChosen | Restacked) -> None:
        """From all subs so far, with what was done by hand; nothing changes where the masters do not fit."""
        masters = self._stacks.masters
        if isinstance(command, MastersChosen):
            masters = msgspec.convert(command.masters, MasterPaths)
        self._stacks.check(masters)
        self._write_down(command)
        self._unfit.clear()
        count = len(self._position.fed)
        self._take_up(self._position.fed)
        self._publish(QualityAdvice(subject="stack", advice=f"{count} subs are stacked anew from disk."))

    def _write_down(self, command: AnyStackCommand) -> None:
        self._journal.append(msgspec.structs.replace(command, after=max(self._position.fed, default=0)))

    def _carry_out_again(self, command: AnyStackCommand) -> None:
        self._position = self._position.with_command()
        self._tell(carried_out(self._stacks, command))
        self._note_change()

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._shown.hear(event)
            self._publish(event)

    def _note_change(self) -> None:
        self.tally = tally_of(self._stacks, len(self._position.fed))
        self._shown.look_at(self._stacks.latest)
        for chore in self._chores:
            chore.wanted = True

    def _save_checkpoint(self) -> None:
        self._checkpoint.save(self._stacks, self._position)

    def _end_series(self) -> None:
        if self._position.fed and self._ended != self._position:
            self._guarded(partial(self._by_hand, SeriesEnded()))
            self._ended = self._position
        self._shown.publish_stack()
        self._guarded(partial(self._shown.save, self._stacks, again=True))
        self._save_checkpoint()
