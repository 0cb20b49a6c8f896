"""What the keys of the panes ask of the engine, and of the user before."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from textual import work
from textual.geometry import Region
from textual.screen import Screen

from starwell.errors import PlanError
from starwell.remote.messages import Box, Note, Reply
from starwell_tui import by_hand, orders
from starwell_tui.desk import Desk
from starwell_tui.panes.camera import Camera
from starwell_tui.panes.frames import Frames
from starwell_tui.screens.ask import Entry
from starwell_tui.screens.box import Put
from starwell_tui.settings import Setting, expected, shown

STRETCHES = ("auto", "asinh", "linear", "log")
FIND = "Find a number, or a word of what stands beside it; nothing shows all:"
GOAL = "Which SNR do you want in the box (a number; nothing: no goal)?"


# Textual's own keys of a screen (tab, escape, ctrl+c) would win over the key table.
class Commands(Screen[None], inherit_bindings=False):
    """A screen whose actions are given to the engine, or change how it is looked at."""

    desk: Desk
    camera: Camera
    frames: Frames

    def redraw(self) -> None:
        """The night, or the view of it, has changed."""
        raise NotImplementedError

    @work(exclusive=True, group="orders")
    async def action_order(self, name: str) -> None:
        """A command to the engine, once it is confirmed."""
        await self.desk.give(orders.ORDERS[name])

    @work(exclusive=True, group="orders")
    async def action_edit(self, word: str) -> None:
        """Another value for a setting, typed where it stands if that can be seen."""
        await self._edit(orders.setting_of(word))

    async def _edit(self, setting: Setting) -> None:
        night = self.desk.night
        row, wanted = self.camera.row_of(setting), f"({expected(setting, night)})"
        label = setting.label if row else f"{setting.label} {wanted}, now {shown(setting, night)}:"
        text = await self._typed(label, beside=wanted if row else "", at=row)
        if not text:
            return
        try:
            order = orders.change(setting, text, night)
        except PlanError as error:
            self.desk.say(Reply(False, str(error)))
            return
        if order:
            await self.desk.give(order)
        else:
            self.desk.say(Reply(True, f"{setting.label} stays as it is."))

    async def action_reject(self) -> None:
        """Take the chosen sub out."""
        await by_hand.reject(self.desk, self.frames.chosen)

    async def action_restore(self) -> None:
        """Put the chosen sub back; where it is in, undo what was done by hand last."""
        await by_hand.restore(self.desk, self.frames.chosen)

    async def action_stretch(self) -> None:
        """The next stretch, with its own black and white."""
        view = self.desk.view
        names = deque(STRETCHES)
        names.rotate(-1 - names.index(view.stretch))
        view.stretch, view.black, view.white = names[0], 0, 0
        self.redraw()
        await self.desk.put(view.curve)

    async def action_level(self, end: str, steps: int) -> None:
        """Move the picture's black or white point."""
        before = self.desk.view.curve
        self.desk.view.level(end, steps)
        self.redraw()
        if self.desk.view.curve != before:
            await self.desk.put(self.desk.view.curve)

    @work(exclusive=True, group="orders")
    async def action_box(self) -> None:
        """Put the target box, or take it away."""
        before = self.desk.view.box
        box = await self.app.push_screen_wait(Put(self.desk))
        self.desk.view.box = box if box is not None else before
        if box is not None and (await self.desk.ask(box)).ok and box == Box():
            self.desk.night.box = self.desk.view.box = None
        self.redraw()

    @work(exclusive=True, group="orders")
    async def action_note(self) -> None:
        """A line of the user's for the log."""
        if text := await self._typed("Note:"):
            await self.desk.ask(Note(text))

    @work(exclusive=True, group="orders")
    async def action_find(self) -> None:
        """List only some subs."""
        self.desk.view.find = (await self._typed(FIND)).strip()
        self.redraw()

    @work(exclusive=True, group="orders")
    async def action_goal(self) -> None:
        """What SNR is enough for this target; kept for the nights to come."""
        text = (await self._typed(GOAL)).strip().replace(",", ".")
        goals, target = self.desk.view.goals, self.desk.night.target
        with suppress(ValueError):
            if (goal := float(text or 0)) > 0:
                goals[target] = goal
            else:
                goals.pop(target, None)
            self.desk.keep()
            self.redraw()
            return
        self.desk.say(Reply(False, f"An SNR is a number, such as 20, not '{text}'."))

    async def _typed(self, label: str, beside: str = "", at: Region | None = None) -> str:
        return await self.app.push_screen_wait(Entry(self.desk.night, label, beside=beside, at=at))
