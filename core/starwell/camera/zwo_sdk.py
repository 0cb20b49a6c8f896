"""ZWO's SDK as checked calls: every answer is looked at, and raised in the words of errors.py.

Arguments and answers are plain Python; struct layouts come from zwoasi, what it leaves out is bound here.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from types import ModuleType
from typing import Any

from starwell.errors import CameraBusy, CameraError, CameraGone, ControlRefused, Transient
from starwell.frame import Bayer, Pixels, Roi


class Setting(IntEnum):
    """ZWO's numbers of its controls; zwoasi knows them up to 20."""

    GAIN = 0
    EXPOSURE = 1
    GAMMA = 2
    WB_R = 3
    WB_B = 4
    OFFSET = 5
    BANDWIDTH = 6
    OVERCLOCK = 7
    TEMPERATURE = 8
    FLIP = 9
    HARDWARE_BIN = 13
    HIGH_SPEED = 14
    COOLER_POWER = 15
    TARGET_TEMP = 16
    COOLER_ON = 17
    MONO_BIN = 18
    FAN_ON = 19
    PATTERN_ADJUST = 20
    DEW_HEATER = 21


class Status(IntEnum):
    """What becomes of a snap."""

    IDLE = 0
    WORKING = 1
    SUCCESS = 2
    FAILED = 3


TIMED_OUT = 11
RAW8, RAW16 = 0, 2
_BAYER = (Bayer.RGGB, Bayer.BGGR, Bayer.GRBG, Bayer.GBRG)

_ERRORS: dict[int, tuple[str, type[CameraError], str]] = {
    1: ("INVALID_INDEX", CameraGone, "the camera is not connected any more"),
    2: ("INVALID_ID", CameraGone, "the camera is not connected any more"),
    3: ("INVALID_CONTROL_TYPE", ControlRefused, "the camera has no such control"),
    4: ("CAMERA_CLOSED", CameraGone, "the camera is closed"),
    5: ("CAMERA_REMOVED", CameraGone, "the camera was unplugged or lost its power"),
    6: ("INVALID_PATH", ControlRefused, "the SDK cannot read that file"),
    7: ("INVALID_FILEFORMAT", ControlRefused, "the SDK cannot read that file"),
    8: ("INVALID_SIZE", ControlRefused, "the camera does not read out a window of this size"),
    9: ("INVALID_IMGTYPE", ControlRefused, "the camera does not deliver this pixel format"),
    10: ("OUTOF_BOUNDARY", ControlRefused, "the window does not fit on the sensor"),
    11: ("TIMEOUT", Transient, "the frame did not come over the cable"),
    12: ("INVALID_SEQUENCE", Transient, "the camera is busy with something else"),
    13: ("BUFFER_TOO_SMALL", ControlRefused, "the frame is larger than expected"),
    14: ("VIDEO_MODE_ACTIVE", Transient, "the camera is still in video mode"),
    15: ("EXPOSURE_IN_PROGRESS", Transient, "the camera is still exposing"),
    16: ("GENERAL_ERROR", Transient, "the camera did not take the command"),
    17: ("INVALID_MODE", ControlRefused, "the camera has no such mode"),
    18: ("GPS_NOT_SUPPORTED", ControlRefused, "the camera has no GPS"),
    19: ("GPS_VER_ERR", ControlRefused, "the camera's GPS is too old"),
    20: ("GPS_FPGA_ERR", ControlRefused, "the camera's GPS does not answer"),
    21: ("GPS_PARAM_OUT_OF_RANGE", ControlRefused, "the camera's GPS does not take this value"),
    22: ("GPS_DATA_INVALID", ControlRefused, "the camera's GPS has no fix"),
}


def fault(code: int, function: str) -> CameraError:
    """The error for an answer that is not 0."""
    name, kind, meaning = _ERRORS.get(
        code, (f"error {code}", Transient, "the camera did not take the command")
    )
    return kind(f"{meaning} ({function}: {name})")


class _EightBytes(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_ubyte * 8)]


def bind(library: ctypes.CDLL, abi: ModuleType) -> None:
    """Declare what zwoasi leaves out; AttributeError where the library is too old to have it."""
    library.ASIGetCameraPropertyByID.argtypes = [ctypes.c_int, ctypes.POINTER(abi._ASI_CAMERA_INFO)]
    library.ASIGetSDKVersion.argtypes = []
    library.ASIGetSDKVersion.restype = ctypes.c_char_p
    for function in ("ASIGetSerialNumber", "ASIGetID"):
        getattr(library, function).argtypes = [ctypes.c_int, ctypes.POINTER(_EightBytes)]


@dataclass(frozen=True, slots=True)
class Listed:
    """What the SDK tells of a camera, most of it without opening it; egain is of the converter's own ADU."""

    camera_id: int
    name: str
    width: int
    height: int
    bayer: Bayer | None
    bins: tuple[int, ...]
    formats: tuple[int, ...]
    pixel_um: float
    cooled: bool
    usb3: bool
    egain: float
    bits: int


@dataclass(frozen=True, slots=True)
class Span:
    """The values a control takes."""

    low: int
    high: int
    default: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Readout:
    """The window the camera is set to."""

    roi: Roi
    bin: int
    format: int


class Sdk:
    """A loaded library. Calls block and let other threads run; they raise as errors.py says."""

    def __init__(self, library: ctypes.CDLL, abi: ModuleType, file: str) -> None:
        self._library = library
        self._abi = abi
        self.file = file

    @property
    def version(self) -> str:
        """As the library says, "1.41"."""
        text = self._library.ASIGetSDKVersion().decode(errors="replace")
        return ".".join(part.strip() for part in text.split(",")).removesuffix(".0.0")

    def code(self, function: str, *arguments: Any) -> int:
        """The bare answer of a call, where it may be other than 0."""
        return int(getattr(self._library, function)(*arguments))

    def call(self, function: str, *arguments: Any) -> None:
        """A call that must succeed."""
        if code := self.code(function, *arguments):
            raise fault(code, function)

    def listed(self) -> list[Listed]:
        """The cameras connected; opens none."""
        cameras = []
        for index in range(max(0, self._library.ASIGetNumOfConnectedCameras())):
            info = self._abi._ASI_CAMERA_INFO()
            if self.code("ASIGetCameraProperty", info, index) == 0:
                cameras.append(_listed(info))
        return cameras

    def open(self, camera_id: int) -> None:
        """Open and initialise; CameraBusy when the SDK refuses a camera that is connected."""
        for function in ("ASIOpenCamera", "ASIInitCamera"):
            if code := self.code(function, camera_id):
                self.code("ASICloseCamera", camera_id)
                raise CameraBusy(
                    "the camera is connected but cannot be opened: another program holds it, or this user may"
                    f" not (ZWO's udev rule, which `apt install libasi` brings) ({fault(code, function)})"
                )

    def close(self, camera_id: int) -> None:
        """Let a camera go, whatever its state."""
        self.code("ASICloseCamera", camera_id)

    def opened(self, camera_id: int) -> Listed:
        """What the SDK tells of an open camera; its egain is of the gain set now."""
        info = self._abi._ASI_CAMERA_INFO()
        self.call("ASIGetCameraPropertyByID", camera_id, info)
        return _listed(info)

    def serial(self, camera_id: int) -> str | None:
        """The serial number of an open camera as 16 hex digits, None where it has none."""
        return self._eight("ASIGetSerialNumber", camera_id)

    def flash_id(self, camera_id: int) -> str | None:
        """The id somebody wrote into an open camera's flash memory, as 16 hex digits."""
        return self._eight("ASIGetID", camera_id)

    def _eight(self, function: str, camera_id: int) -> str | None:
        found = _EightBytes()
        failed = self.code(function, camera_id, found)
        return None if failed or not any(found.bytes) else bytes(found.bytes).hex()

    def spans(self, camera_id: int) -> dict[int, Span]:
        """The controls of an open camera by their numbers."""
        n = ctypes.c_int()
        self.call("ASIGetNumOfControls", camera_id, n)
        spans = {}
        for index in range(n.value):
            caps = self._abi._ASI_CONTROL_CAPS()
            self.call("ASIGetControlCaps", camera_id, index, caps)
            spans[int(caps.ControlType)] = Span(
                caps.MinValue, caps.MaxValue, caps.DefaultValue, bool(caps.IsWritable)
            )
        return spans

    def get(self, camera_id: int, setting: int) -> int:
        """A control's value."""
        value, automatic = ctypes.c_long(), ctypes.c_int()
        self.call("ASIGetControlValue", camera_id, setting, value, automatic)
        return int(value.value)

    def set(self, camera_id: int, setting: int, value: int) -> None:
        """Set a control, by hand; the SDK clamps what is out of range and says nothing."""
        self.call("ASISetControlValue", camera_id, setting, value, 0)

    def readout(self, camera_id: int) -> Readout:
        """The window as the camera has it."""
        width, height, binning, pixel_format, x, y = (ctypes.c_int() for _ in range(6))
        self.call("ASIGetROIFormat", camera_id, width, height, binning, pixel_format)
        self.call("ASIGetStartPos", camera_id, x, y)
        return Readout(Roi(x.value, y.value, width.value, height.value), binning.value, pixel_format.value)

    def set_readout(self, camera_id: int, readout: Readout) -> None:
        """Set the window; its corner always after its size, which would centre it."""
        roi = readout.roi
        self.call("ASISetROIFormat", camera_id, roi.width, roi.height, readout.bin, readout.format)
        self.call("ASISetStartPos", camera_id, roi.x, roi.y)

    def status(self, camera_id: int) -> Status:
        """What has become of the exposure."""
        status = ctypes.c_int()
        self.call("ASIGetExpStatus", camera_id, status)
        return Status(status.value) if 0 <= status.value <= Status.FAILED else Status.FAILED

    def download(self, camera_id: int, pixels: Pixels) -> None:
        """The finished exposure, straight into the array."""
        self.call("ASIGetDataAfterExp", camera_id, _pointer(pixels), pixels.nbytes)

    def video_frame(self, camera_id: int, pixels: Pixels, wait_ms: int) -> bool:
        """The next frame of the video into the array; False when none came in time."""
        code = self.code("ASIGetVideoData", camera_id, _pointer(pixels), pixels.nbytes, wait_ms)
        if code not in (0, TIMED_OUT):
            raise fault(code, "ASIGetVideoData")
        return code == 0

    def dropped(self, camera_id: int) -> int:
        """Frames the video lost since it was started."""
        n = ctypes.c_int()
        return 0 if self.code("ASIGetDroppedFrames", camera_id, n) else n.value


def _pointer(pixels: Pixels) -> Any:
    return pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_char))


def _listed(info: Any) -> Listed:
    bins = list(info.SupportedBins)
    formats = list(info.SupportedVideoFormat)
    return Listed(
        camera_id=info.CameraID,
        name=info.Name.decode(errors="replace").strip(),
        width=info.MaxWidth,
        height=info.MaxHeight,
        bayer=_BAYER[info.BayerPattern % 4] if info.IsColorCam else None,
        bins=tuple(bins[: bins.index(0)] if 0 in bins else bins),
        formats=tuple(formats[: formats.index(-1)] if -1 in formats else formats),
        pixel_um=info.PixelSize,
        cooled=bool(info.IsCoolerCam),
        usb3=bool(info.IsUSB3Camera),
        egain=info.ElecPerADU,
        bits=info.BitDepth,
    )
