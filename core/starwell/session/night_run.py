"""One task carried out: night and camera opened, the plan walked, all on disk, the sensor warmed up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera
from starwell.camera.simulated import SimulatedCamera
from starwell.config import Remembered, Settings
from starwell.errors import PlanError, StarwellError, StorageError
from starwell.frame import Exposure, Frame
from starwell.session.capture import gone
from starwell.session.ends import Ends
from starwell.session.engine_night import OpenNight
from starwell.session.engine_settings import all_told
from starwell.session.enough import memory_advice
from starwell.session.events import QualityAdvice, SeriesFinished, State
from starwell.session.guarded import fault
from starwell.session.guide import Guide
from starwell.session.kept_camera import KeptCamera, keywords_of_rig
from starwell.session.night_files import night_folder
from starwell.session.plan import Resume
from starwell.session.plan_ends import Endings
from starwell.session.plan_outlook import outlook
from starwell.session.plan_walk import warms_up
from starwell.session.resume import Tally
from starwell.session.setup import Setup
from starwell.session.shooting import Shooting
from starwell.session.shooting_room import Room, SeriesOver
from starwell.session.tasks import LastTime, Unfinished, of_files, target_of
from starwell.session.telling import Telling
from starwell.session.wheel import Wheel
from starwell.session.wishes import Ending, Task, Wishes

_DRAINED_S = 0.1


class NightRun:
    """A task from its beginning to its end. enter: told each state and why; opened: the folder of the night.

    Its night stays open after `carry_out`, so that subs can be rejected, until `close`.
    """

    def __init__(
        self,
        task: Task,
        setup: Setup,
        wishes: Wishes,
        telling: Telling,
        enter: Callable[[State, str], None],
        opened: Callable[[Path], None],
    ) -> None:
        self.task = task
        self.plan = task.plan
        self.failure: StarwellError | None = None
        self.why = ""
        self.night: OpenNight | None = None
        self.kept: KeptCamera | None = None
        self.guide: Guide | None = None
        self.shooting: Shooting | None = None
        self._ends: Ends | None = None
        self._setup = setup
        self._wishes = wishes
        self._telling = telling
        self._enter = enter
        self._opened = opened
        self._last_time: LastTime | None = None
        self._unfinished = Unfinished(setup.state)

    @property
    def taken(self) -> int:
        """Frames so far."""
        return self.shooting.taken if self.shooting is not None else 0

    @property
    def ends(self) -> str:
        """What ends the sequence, and when; empty where that is not known."""
        shooting, ends, night = self.shooting, self._ends, self.night
        if shooting is None or ends is None or night is None:
            return ""
        return ends.text(shooting.plan, dict(night.done), self._setup.now())

    def carry_out(self, *, stay: bool) -> None:
        """Do it. SeriesFinished is told whatever happens; stay: the night stays open after it."""
        finished = False
        try:
            self._open()
            self.why, finished = self._shoot(), True
        except SeriesOver as over:
            self.why, finished = str(over), over.finished
        except StorageError as error:
            folder = self.night.night.folder if self.night is not None else None
            self.failure = error if folder is None or folder.is_dir() else gone(folder)
        except StarwellError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the night's files and the sensor come first
            self.failure = StarwellError(fault(error))
        self._end(finished, stay=stay)

    def close(self) -> None:
        """Let the night go; what waits to be stacked is stacked when it is resumed."""
        if self.night is not None:
            self.night.close()

    def _open(self) -> None:
        self._telling.begin(self.plan, self._setup.site(self.plan), self._setup.now)
        if self.task.paused and not self.task.ready:
            self._open_night(None)
            self._enter(State.PAUSED, "taken up again; `starwell start` goes on")
            self._wishes.wait_while_paused(asleep=True)
            if self._wishes.ending is not Ending.NONE:
                raise SeriesOver("interrupted", finished=self._wishes.ending is Ending.STOP)
            self._open_camera()
        else:
            camera = self._open_camera()
            self._open_night(camera)
        assert self.kept is not None
        assert self.night is not None
        if isinstance(self.kept.camera, SimulatedCamera):
            self.kept.camera.go_on_after(self.night.night.taken())

    def _open_camera(self) -> Camera:
        named = self.plan.camera or self._setup.config.rig.camera
        if named is None:
            raise PlanError("Say which camera: --camera, camera = in the plan, or camera = in [rig].")
        folder = self._folder()
        self.kept = KeptCamera(
            lambda: self._setup.connect(named, folder),
            self.plan,
            self._wishes,
            self._telling.publish,
            self._telling.seen,
        )
        camera = self.kept.open(patient=self.task.resume and self.plan.resume is Resume.AUTO)
        if isinstance(camera, FileCamera):
            self.plan = of_files(self.plan)
        self._last_time = LastTime(self.plan, camera, Remembered(self._setup.state))
        told, cooling = self._last_time.told(self.plan), self._last_time.cooling(self.plan)
        self.plan = msgspec.structs.replace(self.plan, camera=named, cooling=cooling)
        if told:
            self._telling.publish(QualityAdvice(subject="as last time", advice=told))
        for event in all_told(camera, self._first_exposure(self._last_time)):
            self._telling.publish(event)
        return camera

    def _first_exposure(self, last_time: LastTime) -> Exposure | None:
        first = next(((t.name, s.exposure) for t in self.plan.targets for s in t.series), None)
        return last_time.fill(first[1], first[0]) if first is not None else None

    def _folder(self) -> Path | None:
        if self.task.folder is not None:
            return self.task.folder
        return Path(self.plan.folder).expanduser() if self.plan.folder else None

    def _open_night(self, camera: Camera | None) -> None:
        setup = self._setup
        folder = self._folder() or night_folder(setup.data, target_of(self.plan, camera), setup.now())
        enough = memory_advice(self.plan, camera, setup.available_bytes())
        if enough is not None:
            self._telling.publish(enough)
        self.night = OpenNight(
            folder,
            self.plan,
            self._telling,
            resume=self.task.resume,
            text=self.task.text,
            data=setup.data,
            live=enough is None or not enough.serious,
            now=setup.now,
        )
        if self._wishes.stretch is not None and self.night.stacking is not None:
            wanted = self._wishes.stretch
            self.night.stacking.showing.stretch(wanted.name, wanted.black, wanted.white)
        self._opened(folder)
        self._unfinished.note(folder)
        if self.night.had and not self.task.resume:
            advice = f"{folder} holds {self.night.had} lights already: the new ones go to the same stacks."
            self._telling.publish(QualityAdvice(subject="night", advice=advice))

    def _shoot(self) -> str:
        setup, plan, night, kept = self._setup, self.plan, self.night, self.kept
        assert night is not None
        assert kept is not None
        assert self._last_time is not None
        rig, site = setup.config.rig, setup.site(plan)
        latitude, longitude = site if site is not None else (None, None)
        endings = Endings(plan, night.began, latitude_deg=latitude, longitude_deg=longitude)
        self._ends = Ends(endings, kept.pace)
        self._tell_outlook(endings, kept)
        self.guide = Guide(plan, self._wishes, self._telling.publish, rig, guider=setup.guider)
        room = Room(
            plan=plan,
            kept=kept,
            night=night,
            wishes=self._wishes,
            telling=self._telling,
            endings=endings,
            guide=self.guide,
            wheel=Wheel(rig.wheel, plan.rig.filters or rig.filters),
            last_time=self._last_time,
            enter=self._enter,
            first_light=self._remember,
            now=setup.now,
            keywords={**keywords_of_rig(setup.config, plan), **setup.keywords},
            ready=self.task.ready,
        )
        self.shooting = Shooting(room)
        try:
            why = self.shooting.walk()
        finally:
            self.guide.close()
        if self.shooting.refused is not None:
            raise self.shooting.refused
        return why

    def _tell_outlook(self, endings: Endings, kept: KeptCamera) -> None:
        """When the night ends and what it needs, for a plan from a file."""
        if not self.plan.file or kept.camera is None or self.night is None:
            return
        seen = outlook(self.plan, endings, done=dict(self.night.done))
        facts = kept.camera.facts
        needed_gb = seen.disk_bytes(facts.width, facts.height) / 1e9
        sentences = [*seen.sentences(), f"It needs {needed_gb:.1f} GB."]
        self._telling.publish(QualityAdvice(subject="outlook", advice=" ".join(sentences)))

    def _remember(self, frame: Frame, shot: Exposure) -> None:
        """What the first light of a camera and a target was taken with."""
        kept = self.kept
        assert kept is not None
        assert kept.camera is not None
        read_back, cooling = frame.facts.exposure, kept.cooling
        settings = Settings(
            shot.seconds, read_back.gain, read_back.offset, shot.bin, cooling.celsius if cooling else None
        )
        try:
            Remembered(self._setup.state).keep(kept.camera.facts.uid, frame.facts.target, settings)
        except StarwellError as error:
            self._telling.publish(QualityAdvice(subject="settings", advice=str(error)))

    def _end(self, finished: bool, *, stay: bool) -> None:
        """Stacks, events, warmth: in the order of what is worth most, and whatever goes wrong with each."""
        self._enter(State.STOPPING, str(self.failure) if self.failure else self.why)
        try:
            if self.night is not None:
                self._end_stacks(self.night, stay=stay)
            if finished and self.failure is None:
                self._unfinished.clear()
        finally:
            self._telling.publish(self._finished())
            if self.kept is not None:
                try:
                    self._warm_up(self.kept)
                finally:
                    self.kept.close()

    def _finished(self) -> SeriesFinished:
        tally = self.night.tally if self.night is not None else Tally()
        return SeriesFinished(
            stacked=tally.stacked,
            rejected=tally.rejected,
            unreadable=tally.unreadable,
            livetime_s=tally.livetime_s,
            why=str(self.failure) if self.failure else self.why,
        )

    def _end_stacks(self, night: OpenNight, *, stay: bool) -> None:
        stacking = night.stacking
        if stacking is not None:
            if not self._wishes.quitting:
                stacking.finish()
            while not self._wishes.quitting and not stacking.drained(_DRAINED_S):
                continue
            if self._wishes.quitting:
                stacking.save()
        if not stay or self._wishes.quitting:
            night.close()

    def _warm_up(self, kept: KeptCamera) -> None:
        cooler = kept.cooler
        if cooler is None or not cooler.left_cold:
            return
        why = "the plan does not want it warmed up"
        if kept.led and (warms_up(self.plan) or self.plan.cooling is None):
            self._enter(State.STOPPING, "warming the sensor up")
            kept.warm_up()
            why = "it did not get warm in an hour"
        if cooler.left_cold and not self._wishes.task_waits:
            celsius = cooler.now.sensor_celsius
            where = f" at {celsius:.0f} °C" if celsius is not None else ""
            advice = f"The sensor is left cooled{where}: {why}."
            self._telling.publish(QualityAdvice(subject="cooling", advice=advice))
