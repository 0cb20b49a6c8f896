"""`starwell stack --dask` beside the same stack on one machine, with workers that die, and where it fails."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from starwell.cli import stack as command
from starwell.frame import Bayer
from starwell.session.build import Method

distributed = pytest.importorskip("distributed", reason="starwell[cluster] is not installed")
dask = pytest.importorskip("dask")

SUBS, GROUP = 24, 8


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """Two worker processes on this machine, which may be busy."""
    patient = {f"distributed.comm.timeouts.{what}": "200s" for what in ("connect", "tcp")}
    with dask.config.set(patient):
        cluster = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any: another process may run some of these tests
            silence_logs=logging.CRITICAL,
        )
    with cluster:
        yield cluster


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two dozen subs are a season."""
    monkeypatch.setattr(command, "Method", partial(Method, group=GROUP))


@pytest.fixture(scope="module")
def season(lights: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Lights of a kind, with one file that is none, and their masters as words of the command."""
    made: dict[str, Any] = {}

    def season(kind: str) -> Any:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            of = {"bayer": Bayer.RGGB} if kind == "colour" else {}
            taken = lights(folder / "lights", SUBS, **of)
            (folder / "lights" / "light_0099.fits").write_bytes(taken.files[0].read_bytes()[:9000])
            made[kind] = taken, taken.masters(folder / "masters")
        return made[kind]

    return season


def written(folder: Path, name: str) -> dict[str, bytes]:
    """Every file of a stack, byte for byte."""
    files = (f"{name}.fits", f"{name}.maps.fits", f"{name}.json", f"{name}.png")
    return {file.removeprefix(name): (folder / file).read_bytes() for file in files}


def stack(starwell: Callable[..., Any], taken: Any, folder: Path, name: str, *words: str) -> dict[str, bytes]:
    out = [
        "-o",
        folder / f"{name}.fits",
        "--report",
        folder / f"{name}.json",
        "--preview",
        folder / f"{name}.png",
    ]
    told = starwell("stack", taken.folder, *out, "--threads", "2", *words)
    assert told.code == 0, told.err
    assert "light_0099.fits" in told.err
    return written(folder, name)


@pytest.fixture
def both(starwell: Callable[..., Any], workers: Any, tmp_path: Path) -> Callable[..., Any]:
    """What one machine writes, and what the workers write of the same."""

    def both(taken: Any, *words: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
        alone = stack(starwell, taken, tmp_path, "alone", *words)
        return alone, stack(starwell, taken, tmp_path, "shared", *words, "--dask", workers.scheduler_address)

    return both


@pytest.mark.parametrize("kind", ["mono", "colour"])
def test_a_cluster_writes_what_one_machine_writes_to_the_last_bit(
    season: Callable[[str], Any], both: Callable[..., Any], kind: str
) -> None:
    taken, masters = season(kind)
    masters = masters if kind == "mono" else []  # without a dark the subs' own hot pixels are looked for
    alone, shared = both(taken, *masters)
    unlike = [suffix for suffix in alone if alone[suffix] != shared[suffix]]
    assert not unlike  # a list of names, for pytest would compare megabytes word by word


def test_without_rejection_too(season: Callable[[str], Any], both: Callable[..., Any]) -> None:
    taken, masters = season("mono")
    alone, shared = both(taken, *masters, "--reject", "none")
    assert alone == shared


def test_more_subs_than_one_machine_can_add_up_are_a_cluster_s(
    starwell: Callable[..., Any],
    season: Callable[[str], Any],
    workers: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken, masters = season("mono")
    alone = stack(starwell, taken, tmp_path, "alone", *masters)
    monkeypatch.setattr("starwell.session.work.MOST_SUBS", 10)
    refused = starwell("stack", taken.folder, "-o", tmp_path / "refused.fits", *masters)
    assert refused.code == 2
    assert "with --dask" in refused.err
    shared = stack(starwell, taken, tmp_path, "shared", *masters, "--dask", workers.scheduler_address)
    assert all(alone[file] == shared[file] for file in (".fits", ".json", ".png"))
    counts = [fits.getdata(tmp_path / f"{name}.maps.fits", "COUNT") for name in ("alone", "shared")]
    assert np.array_equal(*counts)
    assert counts[1].dtype.itemsize == 4


class Killer:
    """Kills a worker as soon as it works at a task of each of these names."""

    def __init__(self, workers: Any, tasks: tuple[str, ...]) -> None:
        self.killed: list[str] = []
        self._workers, self._tasks, self._over = workers, tasks, Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        for name in self._tasks:
            while not self._over.is_set():
                busy = [
                    nanny.pid
                    for nanny in list(self._workers.workers.values())
                    for worker in list(self._workers.scheduler.workers.values())
                    if worker.address == nanny.worker_address
                    and any(str(task.key).startswith(name) for task in list(worker.processing))
                ]
                if busy and busy[0]:
                    os.kill(busy[0], signal.SIGKILL)
                    self.killed.append(name)
                    break
                time.sleep(0.002)


def test_workers_lost_in_mid_run_change_nothing(
    starwell: Callable[..., Any], season: Callable[[str], Any], workers: Any, tmp_path: Path
) -> None:
    taken, masters = season("mono")
    alone = stack(starwell, taken, tmp_path, "alone", *masters)
    with Killer(workers, ("measured", "combined")) as killer:
        shared = stack(starwell, taken, tmp_path, "shared", *masters, "--dask", workers.scheduler_address)
    assert killer.killed == ["measured", "combined"]
    assert alone == shared


def test_a_file_that_vanishes_for_the_workers_is_unreadable_as_it_is_alone(
    season: Callable[[str], Any], both: Callable[..., Any]
) -> None:
    taken, masters = season("mono")
    torn = taken.files[5]
    whole = torn.read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    try:
        alone, shared = both(taken, *masters)
    finally:
        torn.write_bytes(whole)
    assert b'"unreadable": 2' in alone[".json"]
    assert alone == shared


def test_a_worker_that_cannot_see_the_lights_is_named(
    starwell: Callable[..., Any],
    season: Callable[[str], Any],
    workers: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken, _ = season("mono")
    own = tmp_path / "own"
    own.mkdir()
    for file in taken.files[:3]:
        (own / file.name).write_bytes(file.read_bytes())
    other = replace_first_look(own)
    monkeypatch.setattr("starwell.session.on_cluster.Fingerprint", other)
    told = starwell("stack", own, "-o", tmp_path / "out.fits", "--dask", workers.scheduler_address)
    assert told.code == 1
    assert "cannot see" in told.err
    assert "a disk that all machines share" in told.err


def replace_first_look(folder: Path) -> Any:
    """What this machine alone sees: a folder under a name that no worker knows."""
    from starwell.session.cluster_tasks import Fingerprint

    class Here:
        @staticmethod
        def of(path: Path) -> Fingerprint:
            return Fingerprint.of(path)._replace(path=folder / "elsewhere" / path.name)

    return Here


def test_workers_with_other_programs_are_refused(
    starwell: Callable[..., Any],
    season: Callable[[str], Any],
    workers: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from starwell.session import on_cluster

    mine = {**on_cluster.versions(), "numpy": "9.9"}
    monkeypatch.setattr(on_cluster, "versions", lambda: mine)
    taken, _ = season("mono")
    told = starwell("stack", taken.folder, "-o", tmp_path / "out.fits", "--dask", workers.scheduler_address)
    assert told.code == 1
    assert "this machine numpy 9.9" in told.err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_where_no_scheduler_is_that_is_said_at_once(
    starwell: Callable[..., Any], season: Callable[[str], Any], tmp_path: Path, address: str
) -> None:
    taken, _ = season("mono")
    since = time.monotonic()
    told = starwell("stack", taken.folder, "-o", tmp_path / "out.fits", "--dask", address)
    assert told.code == 1
    assert "No Dask scheduler answers" in told.err
    assert time.monotonic() - since < 10


def test_without_dask_it_is_said_what_to_install(
    starwell: Callable[..., Any],
    season: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "starwell.session.cluster", raising=False)
    taken, _ = season("mono")
    told = starwell("stack", taken.folder, "-o", tmp_path / "out.fits", "--dask", "tcp://127.0.0.1:8786")
    assert told.code == 1
    assert "pip install 'starwell[cluster]'" in told.err
