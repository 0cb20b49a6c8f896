"""What is to be shot, in which order, and that it is shot so: resumed, lit and told."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from starwell.cli.main import main
from starwell.errors import Aborted, PlanError, Transient
from starwell.files import fits
from starwell.files.frames import open_facts
from starwell.files.keywords import keywords_of
from starwell.flatlab import schedule
from starwell.flatlab.grounds import Frames
from starwell.flatlab.schedule import PlannedSet, Schedule, Wish
from starwell.flatlab.shooting import Shooting, frames_in
from starwell.frame import Exposure, Facts, Frame, Kind

PLAN = "flatlab plan --egain 0.0098 --read-noise 1.3 --sky 8 --exposure 10 --gain 300"
WISH = Wish(egain=0.157 / 16, read_noise_e=1.3, sky_e=8.0, seconds=10.0, gain=300.0)


def test_the_full_experiment_holds_every_set_and_its_darks():
    planned = WISH.schedule()
    frames = {one.name: one.frames for one in planned.sets}
    assert frames["dark"] == frames["low"] == frames["held-out"] == 300
    assert frames["low-half"] == frames["low-double"] == frames["same-charge"] == 150
    by_name = {one.name: one for one in planned.sets}
    for lit, dark in (("same-charge", "same-charge-dark"), ("other-gain", "other-gain-dark")):
        assert (by_name[lit].seconds, by_name[lit].gain) == (by_name[dark].seconds, by_name[dark].gain)
    assert by_name["same-charge"].seconds == 2.0
    assert by_name["same-charge"].level_e == by_name["low"].level_e == 8.0
    assert by_name["other-gain"].gain == 240.0
    assert by_name["bright"].level_e == pytest.approx(0.157 * 10**1.5 * 4096 / 2, rel=0.02)
    assert planned.seconds / 3600 == pytest.approx(4.7, abs=0.5)


def test_the_smallest_deficit_and_the_frames_it_takes_agree_with_the_table():
    assert WISH.expected.least_e == pytest.approx(0.98, abs=0.02)  # methods: 11 % of 8 e-, darks included 12
    few = Frames(low=20, dark=20, level_e=8.0, dark_noise_e=1.3)
    assert few.least_e > few.target_e == pytest.approx(2.4)
    enough = Frames(few.needed(), few.needed(), 8.0, 1.3)
    assert enough.least_e <= enough.target_e
    less = Frames(few.needed() - 1, few.needed() - 1, 8.0, 1.3)
    assert less.least_e > less.target_e


def test_rounds_run_there_and_back_and_held_out_frames_come_last():
    planned = replace(WISH, rounds=3, frames=10, darks=20).schedule()
    blocks = list(planned.blocks())
    names = [one.name for one, _ in blocks]
    per_round = len(planned.sets) - 1
    assert names[:per_round] == names[per_round : 2 * per_round][::-1] == names[2 * per_round : -1]
    assert names[-1] == "held-out"
    until = Counter[str]()
    for one, goal in blocks:
        assert goal >= until[one.name]
        until[one.name] = goal
    assert until == {one.name: one.frames for one in planned.sets}


def test_a_gain_whose_full_scale_is_too_small_is_told():
    wish = replace(WISH, egain=0.00495 / 16, gain=600.0)
    assert "nearly every star" in " ".join(schedule.warnings(wish))
    assert not schedule.warnings(WISH)


def test_the_lights_own_gain_is_no_other_gain():
    with pytest.raises(PlanError, match="to differ"):
        replace(WISH, other_gain=300.0).schedule()


def test_a_plan_is_printed_and_written_for_capture(tmp_path, capsys):
    target = tmp_path / "s.json"
    call = f"{PLAN} --frames 20 --darks 30"
    assert main([*call.split(), "--minimal", "--json", str(target)]) == 0
    printed = capsys.readouterr()
    assert "Smallest deficit" in printed.out
    assert "It takes" in printed.err
    assert schedule.read(target).frames == 30 + 25 + 25 + 40 + 40
    target.write_text("{}")
    assert main(["flatlab", "capture", str(target), "--camera", "simulated", "-o", str(tmp_path)]) == 2
    assert "is no schedule" in capsys.readouterr().err


def planned_set(name: str, kind: Kind = Kind.FLAT, **more) -> PlannedSet:
    return PlannedSet(name=name, kind=kind, seconds=10.0, gain=300.0, **{"frames": 4, **more})


class FakeRig:
    """A camera of constant light that fails now and then, and a user who helps or not."""

    def __init__(
        self, folder: Path, light_e: float = 8.0, fail_at: int | None = None, helps: bool = True
    ) -> None:
        self.folder, self.light_e, self.fail_at, self.helps = folder, light_e, fail_at, helps
        self.asked: list[str] = []
        self.dimmed: list[float] = []
        self.taken: list[str] = []

    def take(self, one: PlannedSet) -> Frame:
        if len(self.taken) == self.fail_at:
            self.fail_at = None
            raise Transient("A cable.")
        self.taken.append(one.name)
        (self.folder / one.name).mkdir(exist_ok=True)
        frame = self.trial(one)
        path = self.folder / one.name / f"{len(self.taken):04d}.fits"
        fits.write(path, frame.pixels, keywords_of(frame.facts))
        return frame

    def trial(self, one: PlannedSet) -> Frame:
        level = 800.0 + (self.light_e / 0.01 if one.level_e else 0.0)
        facts = Facts((16, 16), Exposure(one.kind, one.seconds, one.gain), egain=0.01)
        return Frame(facts, np.full((16, 16), level, np.uint16))

    def light(self, one: PlannedSet) -> None:
        self.asked.append(one.light)

    def dim(self, said: str, factor: float) -> bool:
        self.dimmed.append(factor)
        self.light_e *= factor
        return self.helps


DARK, LOW = planned_set("dark", Kind.DARK), planned_set("low", level_e=8.0, light="panel dim")


def test_light_is_asked_for_once_and_corrected_before_frames_are_kept(tmp_path):
    rig = FakeRig(tmp_path, light_e=16.0)
    planned = Schedule(sets=(DARK, LOW), egain=0.01, rounds=2)
    assert Shooting(planned, tmp_path, rig, lambda _: None).run() == 8
    assert rig.taken == [*2 * ["dark"], *4 * ["low"], *2 * ["dark"]]
    assert rig.asked == ["panel off, film on", "panel dim", "panel off, film on"]
    assert rig.dimmed == [pytest.approx(0.5)]


def test_an_exposure_that_fails_is_taken_again_and_light_nobody_can_change_is_told(tmp_path):
    said: list[str] = []
    rig = FakeRig(tmp_path, light_e=16.0, fail_at=5, helps=False)
    assert Shooting(Schedule(sets=(DARK, LOW), egain=0.01, rounds=1), tmp_path, rig, said.append).run() == 8
    assert any("Once more" in line for line in said)
    assert any("16 e- instead of 8 e-" in line for line in said)


def test_a_simulated_camera_shoots_a_schedule_and_goes_on_where_it_was_broken_off(tmp_path, capsys):
    target, out = tmp_path / "s.json", tmp_path / "out"
    call = f"{PLAN} --frames 3 --darks 4"
    assert main([*call.split(), "--rounds", "2", "--json", str(target)]) == 0
    camera = "simulated:speed=100000,size=64x64,truth=charge_threshold"
    shoot = ["flatlab", "capture", str(target), "--camera", camera, "-o", str(out)]
    assert main(shoot) == 0
    planned = schedule.read(target)
    assert {one.name: len(frames_in(out / one.name)) for one in planned.sets} == {
        one.name: one.frames for one in planned.sets
    }
    facts = open_facts(frames_in(out / "other-gain")[0])
    assert (facts.exposure.kind, facts.exposure.gain, facts.exposure.seconds) == (Kind.FLAT, 240.0, 10.0)
    for path in frames_in(out / "low")[2:]:
        path.unlink()
    capsys.readouterr()
    assert main(shoot) == 0
    assert "4 frames taken" in capsys.readouterr().out
    found = tmp_path / "r.json"
    assert main(["flatlab", "analyse", "--folder", str(out), "--json", str(found)]) == 2
    assert "at least 4" in capsys.readouterr().err


def test_a_user_who_has_enough_can_stop(tmp_path):
    class Leaving(FakeRig):
        def light(self, one: PlannedSet) -> None:
            raise Aborted("Stopped.")

    with pytest.raises(Aborted):
        Shooting(Schedule(sets=(DARK,), egain=0.01), tmp_path, Leaving(tmp_path), lambda _: None).run()


def test_a_schedule_survives_its_file(tmp_path):
    path = tmp_path / "s.json"
    path.write_bytes(msgspec.json.encode(WISH.schedule()))
    assert schedule.read(path) == WISH.schedule()
    assert json.loads(path.read_text())["sets"][0]["name"] == "dark"
