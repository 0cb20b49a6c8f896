"""What a simulated night is made of: small frozen parts that say everything, and hold nothing computed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starwell.camera.chip import Chip, Flaw
from starwell.frame import Bayer

RGB = tuple[float, float, float]
"""Strength in R, G and B; a mono sensor takes no notice of it."""

WHITE: RGB = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Star:
    """A star put by hand: x and y in world px (sub 0's px unless sub 0 is turned), e- per reference sub."""

    x: float
    y: float
    flux_e: float
    colour: RGB = WHITE


@dataclass(frozen=True, slots=True)
class Nebula:
    """A bright core in a wide cloud with filaments and dark lanes; levels in e-/px per reference sub.

    centre and radius are fractions of the frame: of its width and height, and of its height.
    """

    core_e: float = 2000.0
    cloud_e: float = 60.0
    filaments_e: float = 60.0
    centre: tuple[float, float] = (0.5, 0.5)
    radius: float = 0.35
    core_radius: float = 0.06
    core_colour: RGB = (0.9, 1.0, 1.1)
    cloud_colour: RGB = (1.9, 0.5, 0.65)


@dataclass(frozen=True, slots=True)
class Galaxy:
    """A two-armed spiral: an exponential disc with a bulge; centre and radius as in Nebula."""

    peak_e: float = 400.0
    centre: tuple[float, float] = (0.75, 0.3)
    radius: float = 0.08
    inclination_deg: float = 50.0
    angle_deg: float = 25.0
    pitch_deg: float = 18.0
    colour: RGB = (1.0, 0.95, 0.85)


@dataclass(frozen=True, slots=True)
class Scene:
    """What lies beyond the atmosphere.

    stars: how many of the random ones fall on a frame, on average. Their fluxes, in e- per reference sub,
    follow N(>F) ~ F**-slope from faintest_e to brightest_e. colour_scatter: natural log of B/R, rms.
    h_alpha: fraction of stars that shine in R only. given: further stars, put by hand.
    """

    stars: int = 60
    faintest_e: float = 300.0
    brightest_e: float = 60_000.0
    slope: float = 0.7
    colour_scatter: float = 0.6
    h_alpha: float = 0.01
    given: tuple[Star, ...] = ()
    nebula: Nebula | None = None
    galaxy: Galaxy | None = None


@dataclass(frozen=True, slots=True)
class Cloud:
    """Subs seen through cloud: the stars' light times `transparency`, the sky's times `sky`."""

    subs: Collection[int]
    transparency: float = 0.5
    sky: float = 1.5


@dataclass(frozen=True, slots=True)
class Weather:
    """Seeing, transparency and sky glow.

    fwhm_px: median seeing, before the pixel's own width. Scatters are rms of the natural log and
    correlated from sub to sub by `correlation` (AR(1)). jitter_px: differential seeing, rms per star, sub
    and axis. sky_e_s: sky glow at the field's centre, e-/s/px, times sky_colour; `gradient` is its relative
    rise across the frame's width and height, turning by gradient_turn_deg per sub.
    """

    fwhm_px: float = 3.0
    seeing_scatter: float = 0.0
    transparency_scatter: float = 0.0
    sky_scatter: float = 0.0
    correlation: float = 0.9
    jitter_px: float = 0.0
    sky_e_s: float = 3.0
    sky_colour: RGB = (0.8, 1.0, 0.7)
    gradient: tuple[float, float] = (0.0, 0.0)
    gradient_turn_deg: float = 0.0
    clouds: tuple[Cloud, ...] = ()


@dataclass(frozen=True, slots=True)
class Shake:
    """Subs blown by wind or badly tracked: stars drawn out to a line of this length."""

    subs: Collection[int]
    length_px: float = 10.0
    angle_deg: float = 30.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The camera turned by this angle from this sub on (180 and the meridian: `Mount.flip_at`)."""

    first: int
    angle_deg: float


@dataclass(frozen=True, slots=True)
class Mount:
    """Where each sub points, in sensor px: pose(i) turns the field about the frame's centre, then shifts it.

    drift_px: per sub. dither_px: radius of the disc of random offsets, a new one every `dither_every`
    subs, none for the first. wander_px: rms of a further random shift of each sub but the first.
    rotation_deg: field rotation per sub.
    """

    drift_px: tuple[float, float] = (0.0, 0.0)
    dither_px: float = 0.0
    dither_every: int = 1
    wander_px: float = 0.0
    rotation_deg: float = 0.0
    flip_at: int | None = None
    turns: tuple[Turn, ...] = ()
    shakes: tuple[Shake, ...] = ()


@dataclass(frozen=True, slots=True)
class Defocus:
    """Subs out of focus: stars become rings of this outer diameter."""

    subs: Collection[int]
    diameter_px: float = 8.0
    obstruction: float = 0.35


@dataclass(frozen=True, slots=True)
class Dust:
    """A dust shadow on the sensor: a ring of this radius, darkening by `depth`."""

    x: float
    y: float
    radius_px: float = 14.0
    depth: float = 0.06


@dataclass(frozen=True, slots=True)
class Optics:
    """What the telescope does to the light.

    beta: of the Moffat profile, None for a Gaussian. vignette: relative loss in the corners, growing with
    the square of the distance from the centre.
    """

    beta: float | None = 4.0
    vignette: float = 0.0
    dust: tuple[Dust, ...] = ()
    defocused: tuple[Defocus, ...] = ()
    focal_mm: float = 500.0


@dataclass(frozen=True, slots=True)
class Trail:
    """A satellite's (or, dashed and wide, an aircraft's) trail through one sub, in sensor px.

    The straight line passes through `through` (fractions of width and height) at angle_deg (x towards y)
    with a Gaussian cross-section of width_px FWHM and height peak_e + peak_sigma times the noise of an
    empty sky pixel of the undisturbed sub. dash_px: period of an on-off pattern along it, 0 for none.
    """

    sub: int
    peak_e: float = 0.0
    peak_sigma: float = 0.0
    width_px: float = 3.0
    angle_deg: float = 20.0
    through: tuple[float, float] = (0.5, 0.5)
    dash_px: float = 0.0


@dataclass(frozen=True, slots=True)
class SkyPlan:
    """A night to be simulated; the same plan gives the same pixels, frame by frame and in any order.

    size: height, width. seconds: of the reference sub. subs: how many the field must have stars for.
    flat_colour: of the flat panel. gap_s: between two subs.
    """

    size: tuple[int, int] = (256, 320)
    subs: int = 100
    seconds: float = 10.0
    seed: int = 1
    bayer: Bayer | None = None
    scene: Scene = field(default_factory=Scene)
    weather: Weather = field(default_factory=Weather)
    mount: Mount = field(default_factory=Mount)
    optics: Optics = field(default_factory=Optics)
    chip: Chip = field(default_factory=Chip)
    trails: tuple[Trail, ...] = ()
    flat_seconds: float = 1.0
    flat_colour: RGB = (0.8, 1.0, 0.6)
    target: str = "Simulated nebula"
    filter: str | None = None
    start: datetime = datetime(2026, 11, 19, 19, 0, tzinfo=UTC)
    gap_s: float = 2.0


_DEMO_WEATHER = Weather(
    fwhm_px=2.8,
    seeing_scatter=0.08,
    transparency_scatter=0.02,
    sky_scatter=0.03,
    jitter_px=0.05,
    sky_e_s=2.5,
    gradient=(0.18, -0.10),
    clouds=(Cloud((17,), 0.55, 1.5), Cloud((18,), 0.4, 1.8)),
)
_DEMO_TRAILS = (
    Trail(6, peak_sigma=12.0, angle_deg=24.0, through=(0.5, 0.35)),
    Trail(31, peak_sigma=3.0, angle_deg=-38.0, through=(0.4, 0.6)),
)


def demo_plan(
    size: tuple[int, int] = (1080, 1920), subs: int = 120, seed: int = 1, bayer: Bayer | None = None
) -> SkyPlan:
    """The night that `starwell demo` shows: a fine field, and a little of everything that goes wrong."""
    height, width = size
    area = height * width / 2e6
    return SkyPlan(
        size=size,
        subs=subs,
        seconds=20.0,
        seed=seed,
        bayer=bayer,
        scene=Scene(
            stars=round(600 * area),
            faintest_e=250.0,
            brightest_e=1.5e6,
            nebula=Nebula(core_e=150.0, cloud_e=14.0, filaments_e=18.0, centre=(0.45, 0.52)),
            galaxy=Galaxy(peak_e=90.0, centre=(0.82, 0.24)),
        ),
        weather=_DEMO_WEATHER,
        mount=Mount((0.06, -0.03), dither_px=8.0, rotation_deg=0.002, shakes=(Shake((25,), 9.0),)),
        optics=Optics(
            vignette=0.35,
            dust=(Dust(0.3 * width, 0.7 * height, 18.0), Dust(0.66 * width, 0.28 * height, 11.0)),
        ),
        chip=Chip(
            dark_e_s=0.01,
            hot=(Flaw(round(150 * area), 2.0), Flaw(round(60 * area), 5.0)),
            warm=(Flaw(round(1500 * area), 0.3),),
            rtn=(Flaw(round(100 * area), 25.0),),
            cosmic_rays_s=0.1 * area,
        ),
        trails=_DEMO_TRAILS,
    )
