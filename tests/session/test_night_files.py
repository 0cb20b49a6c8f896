"""Names and folders of a night."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import StorageError
from starwell.frame import Exposure, Facts, Kind
from starwell.session import night_files
from starwell.session.night_files import Night, frame_name, night_date, night_folder, safe

SHOT = Exposure(Kind.LIGHT, 60.0, gain=100.0, filter="L")
FACTS = Facts(
    (4, 4),
    SHOT,
    target="M51",
    sensor_celsius=-9.8,
    setpoint_celsius=-10.0,
    started=datetime(2026, 11, 19, 23, 15, 12, tzinfo=UTC),
)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_light_is_named_after_everything_known() -> None:
    assert frame_name(FACTS, 42) == "M51_L_60.0s_g100_-10C_20261119T231512_0042.fits"


def test_what_is_not_known_is_left_out() -> None:
    assert frame_name(Facts((4, 4)), 1) == "Light_0001.fits"
    assert frame_name(replace(FACTS, setpoint_celsius=None, started=None), 12345) == (
        "M51_L_60.0s_g100_-10C_12345.fits"
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.DARK, "Dark_60.0s_g100_-10C_20261119T231512_0007.fits"),
        (Kind.FLAT, "Flat_L_60.0s_g100_-10C_20261119T231512_0007.fits"),
        (Kind.DARK_FLAT, "DarkFlat_60.0s_g100_-10C_20261119T231512_0007.fits"),
    ],
)
def test_other_kinds_are_named_after_their_kind(kind: Kind, name: str) -> None:
    assert frame_name(replace(FACTS, exposure=replace(SHOT, kind=kind)), 7) == name


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(60, "60.0s"), (0.25, "0.25s"), (0.000032, "0.000032s"), (0, "0.0s"), (1e3, "1000.0s")],
)
def test_exposures_are_written_without_exponents(seconds: float, said: str) -> None:
    assert frame_name(Facts((4, 4), Exposure(seconds=seconds)), 1) == f"Light_{said}_0001.fits"


@given(st.text(max_size=120))
def test_any_name_becomes_a_safe_part_of_a_path(name: str) -> None:
    part = safe(name)
    assert not set(part) & set('/\\:*?"<>|\0 \n')
    assert not part.startswith((".", "-"))
    assert len(part.encode()) <= 60
    assert safe(part) == part


def test_names_stay_readable() -> None:
    assert safe("NGC 7000 / North America") == "NGC_7000_North_America"
    assert safe("../../etc/passwd") == "etc_passwd"
    assert safe("Hα") == "Hα"
    assert safe(None) == safe(" / ") == ""


@pytest.mark.usefixtures("berlin")
def test_a_night_keeps_the_date_of_the_local_noon_before() -> None:
    dusk, dawn = datetime(2026, 11, 19, 17, tzinfo=UTC), datetime(2026, 11, 20, 6, tzinfo=UTC)
    assert night_date(dusk) == night_date(dawn) == date(2026, 11, 19)
    assert night_date(datetime(2026, 11, 20, 11, 30, tzinfo=UTC)) == date(2026, 11, 20)
    assert night_folder(Path("/d"), "M 51", dawn) == Path("/d/2026-11-19/M_51")
    assert night_folder(Path("/d"), None, dawn).name == "untitled"


def test_every_kind_has_its_folder_lights_and_flats_by_filter(tmp_path: Path) -> None:
    night = Night(tmp_path)
    for kind in Kind:
        folder = night.folder_of(replace(SHOT, kind=kind)).relative_to(tmp_path)
        by_filter = kind in (Kind.LIGHT, Kind.FLAT)
        assert folder == Path(night_files.FOLDERS[kind], *(["L"] if by_filter else []))
    assert night.folder_of(Exposure()) == tmp_path / "lights"


def test_numbers_go_on_after_a_restart_whatever_the_filter(tmp_path: Path) -> None:
    night = Night(tmp_path)
    assert night.taken() == dict.fromkeys(Kind, 0)
    for number, letter in ((3, "L"), (12, "R")):
        path = night.path(replace(FACTS, exposure=replace(SHOT, filter=letter)), number)
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "lights" / ".M51_0099.fits").touch()
    (tmp_path / "lights" / "notes_1.fits").touch()
    assert night.taken()[Kind.LIGHT] == 12
    assert night.taken()[Kind.DARK] == 0
    assert list(night.frames(Kind.LIGHT)) == [3, 12]


def test_what_a_dead_process_was_writing_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "lights"
    folder.mkdir()
    ours = folder / f".M51_0001.fits.{os.getpid()}-1.part"
    dead = folder / ".M51_0002.fits.999999999-1.part"
    kept = folder / ".other"
    for path in (ours, dead, kept):
        path.touch()
    Night(tmp_path).prepare()
    assert (ours.exists(), dead.exists(), kept.exists()) == (True, False, True)


def test_a_missing_disk_is_refused_and_nothing_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night_files, "_MOUNTS", (f"{tmp_path}/",))
    if tmp_path.stat().st_dev != Path("/").stat().st_dev:
        pytest.skip("the temporary folder is on a disk of its own")
    with pytest.raises(StorageError, match="not mounted"):
        Night(tmp_path / "stick" / "night").prepare()
    assert not (tmp_path / "stick").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        Night(tmp_path / "file" / "night").prepare()
