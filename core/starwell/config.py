"""The rig and what was last used with it: TOML in, checked; where settings, state and frames live.

$STARWELL_HOME holds all of it where it is set; else the folders the system has for such things.
Loads neither numpy nor any room but errors.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
import platformdirs
from msgspec import Meta, Struct

from starwell.errors import DiskFull, PlanError, StorageError
from starwell.toml_lines import KeyLines

T = TypeVar("T")
Positive = Annotated[float, Meta(gt=0)]


class Home(NamedTuple):
    """The folders: config.toml in config, what is remembered in state, nights below data."""

    config: Path
    state: Path
    data: Path


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the telescope stands; degrees, north and east positive."""

    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    elevation_m: Annotated[float, Meta(ge=-500, le=9000)] | None = None


class Rig(Struct, frozen=True, forbid_unknown_fields=True):
    """What hangs on the mount. wheel: a command that turns the filter wheel; {slot} is the filter's number.

    camera: as in --camera. guide_scale_arcsec: per px of the guide camera, where a plan does not say it.
    """

    telescope: str | None = None
    focal_mm: Positive | None = None
    aperture_mm: Positive | None = None
    camera: str | None = None
    filters: tuple[str, ...] = ()
    wheel: str | None = None
    guide_scale_arcsec: Positive | None = None
    observer: str | None = None


class Screen(Struct, frozen=True, forbid_unknown_fields=True):
    """How the screen looks, and its keys. red, theme: None is as last time; keys: another key by its word."""

    colour: Literal["24bit", "256", "16", "none"] | None = None
    preview: Literal["quad", "half", "ascii", "sixel"] | None = None
    red: bool | None = None
    theme: Literal["dark256", "high-contrast", "night"] | None = None
    keys: dict[str, str] = {}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All of config.toml.

    data: where nights go; library: where masters are kept; zwo_library: ZWO's SDK, where it is not found by
    itself.
    """

    rig: Rig = Rig()
    site: Site = Site()
    screen: Screen = Screen()
    data: str | None = None
    library: str | None = None
    zwo_library: str | None = None

    def keywords(self) -> dict[str, Any]:
        """What headers say of rig and site; what is not configured is left out."""
        known = {
            "TELESCOP": self.rig.telescope,
            "FOCALLEN": self.rig.focal_mm,
            "APTDIA": self.rig.aperture_mm,
            "OBSERVER": self.rig.observer,
            "SITELAT": self.site.latitude,
            "SITELONG": self.site.longitude,
            "SITEELEV": self.site.elevation_m,
        }
        return {keyword: value for keyword, value in known.items() if value is not None}


class Settings(Struct, frozen=True, omit_defaults=True):
    """What was used last, of a camera or of a camera and a target."""

    seconds: float | None = None
    gain: float | None = None
    offset: float | None = None
    bin: int | None = None
    celsius: float | None = None

    def over(self, other: Settings) -> Settings:
        """These, with the other's where these say nothing."""
        mine = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(other, **mine)


class _Memory(Struct):
    cameras: dict[str, Settings] = {}
    targets: dict[str, dict[str, Settings]] = {}


def home(env: Mapping[str, str] = os.environ) -> Home:
    """The folders in use; nothing is created."""
    if root := env.get("STARWELL_HOME"):
        path = Path(root).expanduser()
        return Home(path, path / "state", path / "nights")
    return Home(
        platformdirs.user_config_path("starwell"),
        platformdirs.user_state_path("starwell"),
        platformdirs.user_data_path("starwell") / "nights",
    )


def library_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where masters are kept: as config.toml says, else `library` beside the nights; nothing is created."""
    here = home(env)
    told = load(here.config).library
    return Path(told).expanduser() if told else here.data.with_name("library")


def load(folder: Path) -> Config:
    """The configuration in this folder; the defaults where there is none. PlanError names line and fault."""
    return read_toml(folder / "config.toml", Config)


def read_toml(path: Path, of: type[T]) -> T:
    """A TOML file as this type, or the type's defaults where there is no file.

    Raises PlanError with file, line and what was expected, StorageError where it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}.") from error
    try:
        return msgspec.convert(tomllib.loads(text), of)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(_syntax(path, text, str(error))) from error
    except msgspec.ValidationError as error:
        raise PlanError(_misfit(path, text, str(error), of)) from error


class Remembered:
    """Settings of cameras and targets, in a file; a damaged one is set aside and begun anew."""

    def __init__(self, state: Path) -> None:
        self.path = state / "remembered.json"

    def of(self, camera: str, target: str | None) -> Settings:
        """What was last used with this camera on this target, else with this camera."""
        memory = self._read()
        of_camera = memory.cameras.get(camera, Settings())
        of_target = memory.targets.get(camera, {}).get(target or "", Settings())
        return of_target.over(of_camera)

    def keep(self, camera: str, target: str | None, settings: Settings) -> None:
        """Remember these, unless nothing changed; StorageError or DiskFull where it cannot be written."""
        memory = self._read()
        of_camera = msgspec.structs.replace(settings, seconds=None)
        targets = memory.targets.setdefault(camera, {})
        if memory.cameras.get(camera) == of_camera and (not target or targets.get(target) == settings):
            return
        memory.cameras[camera] = of_camera
        if target:
            targets[target] = settings
        write_whole(self.path, msgspec.json.format(msgspec.json.encode(memory), indent=2))

    def _read(self) -> _Memory:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Memory)
        except FileNotFoundError:
            return _Memory()
        except msgspec.DecodeError:
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_suffix(".damaged"))
            return _Memory()
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace a small file at once, or leave it as it was; its folder is made."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        Path(part).replace(path)
    except OSError as error:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        kind = DiskFull if error.errno == errno.ENOSPC else StorageError
        raise kind(f"{path} cannot be written: {error.strerror}.") from error


_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_AT = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_WORDS = {
    "`float | null`": "a number",
    "`float`": "a number",
    "`int`": "a whole number",
    "`str | null`": "text in quotes",
    "`str`": "text in quotes",
    "`bool`": "true or false",
    "`array`": "a list in square brackets",
    "`object`": "a table",
}


def _syntax(path: Path, text: str, message: str) -> str:
    place = _PLACE.search(message)
    line = int(place[1]) if place and place[1] else len(text.splitlines())
    return f"{path}, line {line}: this is not TOML: {_PLACE.sub('', message)}."


def _misfit(path: Path, text: str, message: str, of: Any) -> str:
    """What is wrong, where, and what was expected, from msgspec's words."""
    at = _AT.search(message)
    keys = re.sub(r"\[\d*\.*\]", "", at[1]).split(".") if at and at[1] else []
    fault = _AT.sub("", message)
    unknown = _UNKNOWN.match(fault)
    if unknown:
        keys = [*keys, unknown[1]]
        fields = _fields(of, keys[:-1])
        near = difflib.get_close_matches(unknown[1], fields, 1)
        meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(fields)}."
        fault = f"is not known; {meant}"
    else:
        expected, _, got = fault.removeprefix("Expected ").partition(", got ")
        for word, plain in _WORDS.items():
            expected, got = expected.replace(word, plain), got.replace(word, plain)
        fault = f"should be {expected}{f', not {got}' if got else ''}."
    return f"{path}, line {KeyLines(text).line(tuple(keys))}: {'.'.join(keys) or 'the file'} {fault}"


def _fields(of: Any, keys: list[str]) -> list[str]:
    """The names of the settings in this table."""
    for key in keys:
        of = {field.name: field.type for field in msgspec.structs.fields(of)}[key]
    return [field.name for field in msgspec.structs.fields(of)]
