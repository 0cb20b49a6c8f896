"""The night's series: what is to be taken, checked as it is typed; and how it goes once it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from textual import events, work
from textual.widget import Widget

from starwell import config
from starwell.errors import StarwellError
from starwell.remote.messages import Start, Stop
from starwell.session.events import State
from starwell_tui import cameras, plan_check, plan_text, remembered
from starwell_tui.desk import Desk
from starwell_tui.kept_masters import listed
from starwell_tui.panes.pane import PLAIN
from starwell_tui.screens.form import WRONG, Field, Form, switch
from starwell_tui.screens.running import running
from starwell_tui.screens.sheet import Keys, Sheet, Text

NAME = "sequence"
CHECKED_AFTER_S = 0.4
PATHS = ("auto", "none")
KINDS_KEPT = ("dark", "flat", "bias")
CAMERA = Field(
    "camera", "Camera", "simulated", hint="Left and right show what is connected; zwo: the first one."
)
READOUT = (
    Field("exposure", "Exposure", "60", numeric=True, unit="s", hint="How long each sub is exposed."),
    Field("gain", "Gain", numeric=True, empty="as last time", hint="The camera's own setting."),
    Field("offset", "Offset", numeric=True, empty="as last time", hint="The camera's own setting."),
    Field("bin", "Bin", "1", ("1", "2", "3", "4"), numeric=True, hint="So many by so many pixels into one."),
    Field(
        "celsius",
        "Cool to",
        options=("-20", "-10", "-5", "0", "off"),
        numeric=True,
        empty="not cooled",
        unit="°C",
        hint="The sensor is cooled at 2 °C a minute before the first frame. Darks must match it.",
    ),
)


def master(name: str, label: str, text: str = "none") -> Field:
    """Where a master comes from."""
    hint = (
        f"auto: the {label.lower()} of your library that fits best; none; or the path of a master or folder."
    )
    return Field(name, label, text, PATHS, hint=hint)


FIELDS = (
    CAMERA,
    Field(
        "target", "Target", hint="What the telescope points at: the folder, the stack and the headers say it."
    ),
    Field(
        "filters",
        "Filters",
        empty="none",
        hint="Their names, L R G B say; each gets its own series and stack.",
    ),
    switch("turns", "Take turns", "On: the filters alternate, so that clouds and dawn cost each the same."),
    *READOUT,
    Field(
        "frames",
        "Subs",
        "60",
        numeric=True,
        empty="until it ends",
        hint="Of each filter; empty: until an end.",
    ),
    Field(
        "ends",
        "Ends",
        options=("", "dawn", "nautical-dawn", "meridian"),
        empty="with the last sub",
        hint="Whichever comes first of dawn, a clock time such as 05:45, sky>20000adu; with blanks between.",
    ),
    master("dark", "Dark"),
    master("flat", "Flat"),
    master("bias", "Bias"),
    Field(
        "low_light",
        "Low light",
        "none",
        PATHS,
        hint="A map of what pixels lose at low light: T makes one from same-condition flats.",
    ),
    Field(
        "dither",
        "Dither",
        "off",
        ("off", "3", "5", "8"),
        numeric=True,
        unit="px",
        hint="By PHD2, of this camera's pixels.",
    ),
    switch(
        "after_flats", "Flats after", "Flats of each filter when the lights are over, with their dark flats."
    ),
    switch(
        "after_darks", "Darks after", "Darks of each exposure when the lights are over: cover the telescope."
    ),
    switch("warm_up", "Warm up", "At the end the sensor is warmed up slowly.", on=True),
    Field(
        "file",
        "Plan file",
        empty="none",
        hint="A plan of your own in TOML instead of all the above: its path.",
    ),
)


class Sequence(Sheet[None]):
    """A form while nothing runs, the series as they go while something does."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.form = Form(desk.night, "Sequence", FIELDS, self._edited)
        self._going = Text(desk.night, id="running", classes="pane -chosen")
        self._going.border_title = "Sequence"
        self._cameras: list[cameras.Found] = []
        self._kept: set[str] | None = None
        self._anew = False
        self._checked = False

    def body(self) -> Iterable[Widget]:
        """One of them is shown."""
        yield self.form
        yield self._going

    def offered(self) -> Keys:
        """Prepare and start, or what can be done with what runs."""
        if self.at_work:
            return (("space", "Start"), ("x", "End it"), ("esc", "Back"))
        if self.form.editing:
            return (("enter", "Take it"), ("esc", "Leave it"))
        return (("s", "Start"), ("p", "Prepare: cool, wait"), ("enter", "Edit"), ("esc", "Back"))

    def on_mount(self) -> None:
        """As last time."""
        last = remembered.typed(NAME)
        self._anew = not last
        self.form.fill(last or self._of_rig())
        super().on_mount()
        self._find()

    def told(self) -> None:
        """Form or series."""
        self.form.display, self._going.display = not self.at_work, self.at_work
        if self.at_work:
            self._going.write(*running(self.night))
        super().told()

    def pressed(self, event: events.Key) -> bool:
        """Of the form, or of what runs."""
        status = self.night.status
        if self.at_work:
            if event.key == "space" and status and status.state is State.PAUSED:
                self._go_on()
            elif event.key == "x":
                self._stop()
            else:
                return False
        elif not self.form.pressed(event):
            if event.key not in ("s", "p"):
                return False
            self._start(paused=event.key == "p")
        return True

    def _of_rig(self) -> dict[str, str]:
        try:
            rig = config.load(config.home().config).rig
        except StarwellError as error:
            self.say(str(error), good=False)
            return {}
        known = {"camera": rig.camera or "", "filters": " ".join(rig.filters)}
        return {name: text for name, text in known.items() if text}

    def _edited(self, name: str) -> None:
        if name in ("camera", "target"):
            self._as_last_time()
        self._check()

    def _as_last_time(self) -> None:
        """The settings this camera and target were last used with."""
        typed = self.form.typed
        chosen = next((c for c in self._cameras if c.named == typed["camera"]), None)
        if chosen is not None:
            self.form.fill(remembered.of_camera(chosen.uid, typed["target"]))

    @work(exclusive=True, group="find")
    async def _find(self) -> None:
        self._check()
        entries, _ = await listed()
        self._kept = None if entries is None else {entry.kind.replace(" ", "_") for entry in entries}
        if self._anew:
            self.form.fill({name: "auto" for name in KINDS_KEPT if name in (self._kept or ())})
        self._cameras, why = await cameras.found()
        self.form.offer("camera", tuple(camera.named for camera in self._cameras))
        known = {camera.named for camera in self._cameras}
        if self.form.typed["camera"] == "zwo" and not known - {cameras.SIMULATED}:
            self.say(why, good=False)
        self._check()

    @work(exclusive=True, group="check")
    async def _check(self) -> None:
        """What is wrong with it, and when it would end."""
        self._checked = False
        await asyncio.sleep(CHECKED_AFTER_S)
        typed = self.form.typed
        size = next((c.size for c in self._cameras if c.named == typed["camera"]), None)
        seen = await plan_check.check(plan_text.sequence(typed), typed["file"].strip(), size)
        wrong, other = plan_check.by_field(seen.mistakes, set(typed), typed["file"])
        wrong = self._not_kept(typed) | wrong
        self.form.below = tuple((text, WRONG) for text in other) + tuple(
            (text, PLAIN) for text in seen.outlook
        )
        self.form.find_wrong(wrong)
        self._checked = True
        self.told()

    def _not_kept(self, typed: plan_text.Typed) -> dict[str, str]:
        """Masters that are to come from a library that has none of them: every sub would be kept out."""
        if self._kept is None or typed["file"]:
            return {}
        lacking = [name for name in KINDS_KEPT if typed.get(name) == "auto" and name not in self._kept]
        return dict.fromkeys(lacking, "the library has none: take some (D, T), or say none")

    @work(exclusive=True, group="asks")
    async def _start(self, *, paused: bool) -> None:
        typed = self.form.typed
        if self._checked and self.form.mistaken:
            field = self.form.mistaken[0]
            self.form.choose(field.name)
            self.say(f"{field.label}: {field.wrong}.", good=False)
            return
        what = typed["file"].strip() or summary(typed)
        does = "Prepare" if paused else "Begin"
        if not await self.sure(f"{does} {what}?"):
            self.say("Nothing was begun.")
            return
        remembered.keep(NAME, typed)
        file = typed["file"].strip()
        order = (
            Start(plan_text.absolute(file), paused=paused)
            if file
            else Start(text=plan_text.sequence(typed), paused=paused)
        )
        reply = await self.ask(order)
        if reply.ok:
            self.dismiss()

    @work(exclusive=True, group="asks")
    async def _go_on(self) -> None:
        await self.ask(Start())

    @work(exclusive=True, group="asks")
    async def _stop(self) -> None:
        if await self.sure("End the series after this sub, and save the stack?"):
            await self.ask(Stop())


def summary(typed: plan_text.Typed) -> str:
    """The series in a few words, for a question."""
    filters = "".join(f" {name}" for name in plan_text.words(typed, "filters"))
    frames = f"{typed['frames']}×" if typed["frames"] else ""
    cooled = f" at {typed['celsius']} °C" if typed["celsius"] not in ("", "off") else ""
    return f"{typed['target'] or typed['camera']}{filters} {frames}{typed['exposure']} s{cooled}"
