"""`starwell bench` on a machine made up: measured and computed figures are told apart."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from starwell.cli import bench
from starwell.cli.machine import Machine
from starwell.session.benchmark import Case, Sensor

CASES = (
    Case((1096, 1936), False, 0.1, 6),
    Case((1096, 1936), True, 0.2, 6),
    Case((3008, 3008), False, 0.5, 6),
    Case((3008, 3008), True, 1.0, 6),
)


def machine(tmp_path: Path, mb_s: float = 40.0) -> Machine:
    for name, text in {
        "proc/meminfo": "MemAvailable: 3000000 kB\n",
        "proc/device-tree/model": "Raspberry Pi 4 Model B\0",
        "sys/bus/usb/devices/2-1/idVendor": "03c3",
        "sys/bus/usb/devices/2-1/product": "ASI533MC Pro",
        "sys/bus/usb/devices/2-1/speed": "5000",
    }.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    env = {"STARWELL_HOME": str(tmp_path / "home")}
    return Machine(root=tmp_path / "root", env=env, writing_mb_s=lambda folder: mb_s)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def tell(found: tuple[Case, ...] = CASES, *, as_json: bool = True) -> Any:
        def cases(limit_s: float, available: int | None) -> Iterator[Case]:
            assert (limit_s, available) == (45.0, 3_000_000 * 1024)
            yield from found

        monkeypatch.setattr(bench, "cases", cases)
        given = argparse.Namespace(json=as_json, data=tmp_path, seconds=45.0)
        assert bench.run(given, machine(tmp_path)) == 0
        said = capsys.readouterr()
        return json.loads(said.out) if as_json else said.out

    return tell


def test_measured_and_computed_cameras_are_told_apart(told: Any) -> None:
    said = told()
    by_name = {camera["camera"]: camera for camera in said["cameras"]}
    assert len(by_name) == len(said["cameras"]) >= 12
    assert {name for name, camera in by_name.items() if camera["measured"]} == {
        "ASI462MC",
        "ASI533MM",
        "ASI533MC",
    }
    assert by_name["ASI533MC"]["stack_s"] == 1.0
    # 0.1 s at 2.12 MP and 0.5 s at 9.05 MP are 0.0577 s a megapixel
    assert by_name["ASI1600MM"]["stack_s"] == pytest.approx(0.923, abs=0.001)


def test_a_slow_disk_sets_the_shortest_exposure(told: Any) -> None:
    camera = next(c for c in told()["cameras"] if c["camera"] == "ASI6200MM")
    assert camera["write_s"] == pytest.approx(2 * 61.17 / 40, rel=1e-3)
    assert camera["exposure_s"] == max(camera["write_s"], camera["stack_s"])
    quick = bench.keeps_up(Sensor("ASI533MM", (3008, 3008), False), CASES, 5.0, None)
    assert quick is not None
    assert quick.exposure_s == quick.write_s == pytest.approx(3.62, abs=0.01)
    assert quick.fits is None


def test_memory_usb_and_disk_are_told(told: Any) -> None:
    said = told()
    assert said["machine"] == "Raspberry Pi 4 Model B"
    assert said["usb"] == [{"name": "ASI533MC Pro", "mbit_s": 5000.0}]
    assert said["writing_mb_s"] == 40.0
    fits = {camera["camera"]: camera["fits"] for camera in said["cameras"]}
    assert fits["ASI1600MM"]
    assert not fits["ASI6200MC"]


def test_people_read_a_table(told: Any) -> None:
    said = told(as_json=False)
    assert "ASI533MC" in said
    assert "computed" in said
    assert "too much" in said


def test_a_machine_too_slow_for_one_sub_is_told_what_to_do(told: Any) -> None:
    assert "--seconds 300" in told((), as_json=False)
    assert told(())["cameras"] == []
