"""`starwell stack` on simulated lights of known truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from astropy.io import fits as astropy_fits

from starwell.camera.sky import ASI1600, Mount, Scene, Star, Weather
from starwell.files import fits as starwell_fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer

Make = Callable[..., Any]
KEYS = [
    "file", "status", "reason", "stars", "fwhm_px", "eccentricity", "background_adu", "sigma_adu",
    "transparency", "weight", "matched", "rms_px", "masked_fraction", "transform",
]  # fmt: skip


def header_of(path: Path) -> Any:
    return astropy_fits.getheader(path)


def test_a_mono_night_becomes_one_stack_with_maps_and_report(
    mono: Any, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    out, report = tmp_path / "M51.fits", tmp_path / "r.json"
    before = {p: p.stat().st_mtime_ns for p in mono.folder.iterdir()}
    masters = mono.masters(tmp_path / "masters")
    told = starwell("stack", mono.folder, *masters, "-o", out, "--report", report)
    assert told.code == 0
    assert "10 of 10 subs stacked, 200 s of light" in told.out
    assert "e-/ADU" in told.out
    with astropy_fits.open(out) as hdus:
        assert len(hdus) == 1
        assert hdus[0].data.shape == (200, 256)
        header = hdus[0].header
    assert (header["STACKCNT"], header["LIVETIME"], header["EXPTIME"]) == (10, 200.0, 20.0)
    assert {header["MASTER1"], header["MASTER2"]} == {"dark: dark.fits", "flat: flat.fits"}
    found = report_of(report)
    assert list(found) == ["reference", "stacked", "rejected", "unreadable", "frames", "noise"]
    assert found["noise"]["ideal_e"] > 0
    assert found["noise"]["masters_e"] > 0
    assert "the masters' own noise puts in" in told.out
    assert (found["stacked"], found["rejected"], found["unreadable"]) == (10, 0, 0)
    assert found["reference"] == header["REFERENC"]
    assert [list(frame) for frame in found["frames"]] == [KEYS] * 10
    home = int(found["reference"][6:10]) - 1
    for number, frame in enumerate(found["frames"]):
        assert (frame["file"], frame["status"]) == (f"light_{number + 1:04d}.fits", "stacked")
        truth = mono.sky.truth(home).transform.inverse() @ mono.sky.truth(number).transform
        np.testing.assert_allclose(np.array(frame["transform"])[:, 2], truth.matrix[:, 2], atol=0.1)
    assert {p: p.stat().st_mtime_ns for p in mono.folder.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["M51.fits", "M51.maps.fits", "masters", "r.json"]


def test_maps_have_the_right_shapes_and_add_up(mono: Any, starwell: Make, tmp_path: Path) -> None:
    out = tmp_path / "o.fits"
    assert starwell("stack", mono.folder, *mono.masters(tmp_path / "m"), "-o", out).code == 0
    with astropy_fits.open(tmp_path / "o.maps.fits") as hdus:
        names = [hdu.name for hdu in hdus if hdu.data is not None]
        maps = {hdu.name: hdu.data for hdu in hdus if hdu.data is not None}
    assert names == ["WEIGHT", "COUNT", "MASKED", "VARIANCE"]
    assert {m.shape for m in maps.values()} == {(200, 256)}
    inside = np.s_[20:-20, 20:-20]
    assert ((maps["COUNT"].astype(int) + maps["MASKED"])[inside] == 10).mean() > 0.99
    np.testing.assert_allclose(maps["WEIGHT"][inside].mean(), maps["COUNT"][inside].mean(), rtol=0.1)


@pytest.mark.parametrize(
    ("words", "bayer", "kernel_factor"),
    [((), None, 1.0), (("--super-pixel",), Bayer.RGGB, 0.625**2), ((), Bayer.RGGB, 0.75**2)],
    ids=["mono", "super-pixel", "colour"],
)
def test_variance_is_what_the_stack_really_scatters_by(
    words: tuple[str, ...],
    bayer: Bayer | None,
    kernel_factor: float,
    lights: Make,
    starwell: Make,
    tmp_path: Path,
) -> None:
    """Two stacks of the same sky and other noise differ by twice the variance, whatever stands still.

    Nothing moves here, so that the linear kernel's factor is known: 1 in mono, (1 + 1/2)/2 per axis between
    the pixels of a colour plane, (3/4)² + (1/4)² a quarter pixel off them.
    """
    places = np.random.default_rng(5).uniform(20, 300, (14, 2))
    scene = Scene(stars=0, given=tuple(Star(1.5 * x, y, 30_000.0) for x, y in places))
    values, variance = [], np.empty(0)
    for first in (0, 100):
        one = lights(tmp_path / f"lights{first}", 0, size=(320, 480), mount=Mount(), scene=scene, bayer=bayer)
        for i in range(first, first + 6):
            one.shoot(i)
        out = tmp_path / f"o{first}.fits"
        masters = one.masters(tmp_path / f"m{first}")
        assert starwell("stack", one.folder, *masters, "-o", out, "--reject", "none", *words).code == 0
        values.append(astropy_fits.getdata(out) * 65535.0)
        variance = astropy_fits.getdata(tmp_path / f"o{first}.maps.fits", "VARIANCE")
    apart = (values[0] - values[1]).reshape(-1, *variance.shape[-2:])
    for plane, expected in zip(apart, variance.reshape(apart.shape), strict=True):
        inside = (expected < 1.1 * np.median(expected))[10:-10, 10:-10]
        empirical = plane[10:-10, 10:-10][inside].var() / 2
        model = expected[10:-10, 10:-10][inside].mean()
        assert empirical == pytest.approx(kernel_factor * float(model), rel=0.1)


def test_electrons_are_the_scene_s_electrons(
    mono: Any, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    out = tmp_path / "o.fits"
    masters = mono.masters(tmp_path / "m")
    assert starwell("stack", mono.folder, *masters, "-o", out, "--unit", "electron").code == 0
    header, values = header_of(out), astropy_fits.getdata(out)
    assert header["BUNIT"] == "electron"
    home = int(header["REFERENC"][6:10]) - 1
    scene = mono.sky.scene_e(home, as_seen=True)
    inside = np.s_[20:-20, 20:-20]
    assert np.median(values[inside]) == pytest.approx(np.median(scene[inside]), rel=0.01)
    stars = scene[inside] > 1.1 * np.median(scene)
    light = [(v[inside] - np.median(v[inside]))[stars].sum() for v in (values, scene)]
    assert light[0] == pytest.approx(light[1], rel=0.01)
    full = tmp_path / "f.fits"
    assert starwell("stack", mono.folder, *masters, "-o", full).code == 0
    header = header_of(full)
    back = (astropy_fits.getdata(full) * header["FULLSCAL"] - header["PEDESTAL"]) * header["EGAIN"]
    np.testing.assert_allclose(back[inside], values[inside], atol=0.05)


def test_a_dark_sky_gets_a_pedestal(lights: Make, starwell: Make, tmp_path: Path) -> None:
    dark = lights(tmp_path / "lights", 6, weather=Weather(sky_e_s=0.02))
    out = tmp_path / "o.fits"
    assert starwell("stack", dark.folder, *dark.masters(tmp_path / "m"), "-o", out).code == 0
    values = astropy_fits.getdata(out)
    covered = astropy_fits.getdata(tmp_path / "o.maps.fits", "COUNT") > 3
    assert header_of(out)["PEDESTAL"] > 0
    assert (values[covered] > 0).all()
    assert values.max() <= 1.0


@pytest.mark.parametrize(("words", "shape"), [((), (3, 200, 256)), (("--super-pixel",), (3, 100, 128))])
def test_colour_comes_out_full_size_or_as_super_pixels(
    words: tuple[str, ...], shape: tuple[int, ...], lights: Make, starwell: Make, tmp_path: Path
) -> None:
    osc = lights(tmp_path / "lights", 5, bayer=Bayer.GBRG)
    out, picture = tmp_path / "o.fits", tmp_path / "o.png"
    told = starwell(
        "stack", osc.folder, *osc.masters(tmp_path / "m"), "-o", out, "--preview", picture, *words
    )
    assert told.code == 0
    values = astropy_fits.getdata(out)
    assert values.shape == shape
    assert "BAYERPAT" not in header_of(out)
    header = header_of(out)
    sky_e = [
        np.median(p) * header["EGAIN"] * header["FULLSCAL"] - header["PEDESTAL"] * header["EGAIN"]
        for p in values
    ]
    np.testing.assert_allclose(sky_e, [48, 60, 42], rtol=0.03)
    with astropy_fits.open(tmp_path / "o.maps.fits") as hdus:
        assert all(hdu.data.shape == shape for hdu in hdus if hdu.data is not None)
    assert cv2.imread(str(picture)).shape == (*shape[1:], 3)


def test_two_filters_become_two_stacks_or_one_mixed(lights: Make, starwell: Make, tmp_path: Path) -> None:
    lights(tmp_path / "l", 4, filter="L")
    lights(tmp_path / "r", 4, filter="R", seed=1)
    out, report = tmp_path / "OUT.fits", tmp_path / "r.json"
    told = starwell("stack", tmp_path / "l", tmp_path / "r", "-o", out, "--report", report)
    assert told.code == 0
    made = sorted(p.name for p in tmp_path.iterdir() if p.is_file())
    assert made == ["OUT_L.fits", "OUT_L.maps.fits", "OUT_R.fits", "OUT_R.maps.fits", "r_L.json", "r_R.json"]
    assert header_of(tmp_path / "OUT_L.fits")["FILTER"] == "L"
    assert header_of(tmp_path / "OUT_R.fits")["STACKCNT"] == 4
    assert starwell("stack", tmp_path / "l", tmp_path / "r", "-o", out, "--mix").code == 0
    assert header_of(out)["STACKCNT"] == 8


def test_mixed_exposures_weigh_by_what_they_hold(
    lights: Make, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    short = lights(tmp_path / "a", 4)
    for i in range(4, 7):
        frame = short.sky.light(i, 80.0)
        starwell_fits.write(short.folder / f"light_{i + 1:04d}.fits", frame.pixels, keywords_of(frame.facts))
    out, report = tmp_path / "OUT.fits", tmp_path / "r.json"
    told = starwell("stack", short.folder, "-o", out, "--mix", "--report", report, "--bias", "500")
    assert told.code == 0
    frames = report_of(report)["frames"]
    weights = np.array([f["weight"] for f in frames])
    # Four times the light and sky: t²/sigma² = 16/4, and read noise counts less.
    assert weights[4:].mean() / weights[:4].mean() == pytest.approx(
        16 / ((240 + 2.25) / (60 + 2.25)), rel=0.1
    )
    assert header_of(out)["LIVETIME"] == 4 * 20 + 3 * 80


def test_the_reference_asked_for_is_the_reference(
    mono: Any, starwell: Make, report_of: Make, tmp_path: Path
) -> None:
    out, report = tmp_path / "o.fits", tmp_path / "r.json"
    told = starwell("stack", mono.folder, "-o", out, "--report", report, "--reference", mono.files[8])
    assert told.code == 0
    assert header_of(out)["REFERENC"] == "light_0009.fits"
    ninth = report_of(report)["frames"][8]
    np.testing.assert_allclose(ninth["transform"], [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    other = starwell("stack", mono.folder, "-o", tmp_path / "p.fits", "--reference", tmp_path / "none.fits")
    assert other.code == 2
    assert "is not among the lights" in other.err


def test_a_reference_serves_the_set_it_belongs_to(lights: Make, starwell: Make, tmp_path: Path) -> None:
    lights(tmp_path / "l", 3, filter="L")
    red = lights(tmp_path / "r", 3, filter="R")
    told = starwell(
        "stack", tmp_path / "l", tmp_path / "r", "-o", tmp_path / "O.fits", "--reference", red.files[1]
    )
    assert told.code == 0
    assert header_of(tmp_path / "O_R.fits")["REFERENC"] == red.files[1].name


def test_a_tiff_holds_the_same_values_as_the_fits(mono: Any, starwell: Make, tmp_path: Path) -> None:
    assert starwell("stack", mono.folder, "-o", tmp_path / "o.tif", "--bias", "500").code == 0
    assert starwell("stack", mono.folder, "-o", tmp_path / "o.fits", "--bias", "500").code == 0
    values = tifffile.imread(tmp_path / "o.tif")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, astropy_fits.getdata(tmp_path / "o.fits"))
    assert open_frame(tmp_path / "o.tif").facts.shape == (200, 256)


@pytest.mark.parametrize("order", ["TOP-DOWN", "BOTTOM-UP"])
def test_the_preview_is_upright(order: str, lights: Make, starwell: Make, tmp_path: Path) -> None:
    top = (Star(128.0, 20.0, 900_000.0),)
    made = lights(
        tmp_path / "lights", 0, scene=Scene(stars=60, faintest_e=3000, brightest_e=40_000, given=top)
    )
    for i in range(4):
        made.shoot(i, ROWORDER=order)
    picture = tmp_path / "p.png"
    assert starwell("stack", made.folder, "-o", tmp_path / "o.fits", "--preview", picture).code == 0
    grey = cv2.GaussianBlur(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), (9, 9), 0)
    row = int(np.unravel_index(grey.argmax(), grey.shape)[0])
    assert (row < 50) if order == "TOP-DOWN" else (row > 150)


@pytest.mark.parametrize("kernel", ["lanczos", "cubic", "bilinear"])
def test_every_kernel_and_no_rejection_stack_the_same_sky(
    kernel: str, mono: Any, starwell: Make, tmp_path: Path
) -> None:
    out = tmp_path / "o.fits"
    words = ["--kernel", kernel, "--reject", "none", "--threads", "1", "--bias", "500", "--unit", "electron"]
    assert starwell("stack", mono.folder, "-o", out, *words).code == 0
    assert np.median(astropy_fits.getdata(out)) == pytest.approx(60.0, rel=0.03)


def test_an_existing_output_is_refused_before_any_work(
    mono: Any, starwell: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o.fits"
    out.write_text("mine")
    monkeypatch.setattr("starwell.cli.stack.light_sets", lambda *a, **k: pytest.fail("work was done"))
    told = starwell("stack", mono.folder, "-o", out)
    assert told.code == 2
    assert "o.fits exists; --overwrite replaces it." in told.err
    assert out.read_text() == "mine"


def test_overwrite_replaces(mono: Any, starwell: Make, tmp_path: Path) -> None:
    out = tmp_path / "o.fits"
    out.write_text("mine")
    assert starwell("stack", mono.folder, "-o", out, "--overwrite").code == 0
    assert header_of(out)["STACKCNT"] == 10


def test_the_same_call_gives_the_same_bytes(mono: Any, starwell: Make, tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert starwell("stack", mono.folder, "-o", tmp_path / name / "o.fits").code == 0
        made.append([(tmp_path / name / n).read_bytes() for n in ("o.fits", "o.maps.fits")])
    assert made[0] == made[1]


def test_left_justified_subs_give_the_same_electrons(lights: Make, starwell: Make, tmp_path: Path) -> None:
    twelve = lights(tmp_path / "lights", 6, chip=ASI1600)
    out = tmp_path / "o.fits"
    told = starwell("stack", twelve.folder, "-o", out, "--bias", "800", "--unit", "electron")
    assert told.code == 0
    assert np.median(astropy_fits.getdata(out)) == pytest.approx(60.0, rel=0.03)


def test_lights_may_be_tiffs(mono: Any, starwell: Make, tmp_path: Path) -> None:
    (tmp_path / "lights").mkdir()
    for path in mono.files[:5]:
        tifffile.imwrite(tmp_path / "lights" / f"{path.stem}.tif", open_frame(path).pixels)
    out = tmp_path / "o.fits"
    assert starwell("stack", tmp_path / "lights", "-o", out).code == 0
    assert header_of(out)["STACKCNT"] == 5
