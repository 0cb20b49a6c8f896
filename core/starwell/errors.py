"""Every error starwell raises on purpose.

StarwellError
├─ CameraError:  CameraNotFound · CameraBusy · Aborted · Transient · CameraGone · ControlRefused
│                NoMoreFrames
├─ PlanError     file, line, what was expected
├─ MasterError:  MasterMissing · MasterMismatch
├─ StorageError: DiskFull · FileDamaged
├─ ClusterError  no scheduler, no workers, or workers that would stack something else
├─ TooLittleMemory
├─ EngineError:  NoEngine · EngineRunning · EngineRefused · Garbled
└─ NothingStacked

A message says what happened, what it means and what to do, in one or two plain sentences.
Clouds, trails, too few stars and no match are never errors: they are a Reason (measure.quality).
"""


class StarwellError(Exception):
    """Anything a user can be told about in a sentence."""


class CameraError(StarwellError):
    """The camera did not do what was asked."""


class CameraNotFound(CameraError):
    """No such camera is connected."""


class CameraBusy(CameraError):
    """Another program holds the camera."""


class Aborted(CameraError):
    """The exposure was ended on request."""


class Transient(CameraError):
    """This exposure failed; the next one may well succeed."""


class CameraGone(CameraError):
    """The camera does not answer any more."""


class ControlRefused(CameraError):
    """The camera does not take this value."""


class NoMoreFrames(CameraError):
    """A replayed folder has come to its end."""


class PlanError(StarwellError):
    """A plan, a setting or a call cannot be carried out as written."""


class MasterError(StarwellError):
    """A master cannot be built or used."""


class MasterMissing(MasterError):
    """No master of this kind is at hand."""


class MasterMismatch(MasterError):
    """The frames or the master do not belong together."""


class StorageError(StarwellError):
    """Reading or writing failed."""


class DiskFull(StorageError):
    """There is no room left where the file should go."""


class FileDamaged(StorageError):
    """The file is truncated, empty, or not what its header says."""


class ClusterError(StarwellError):
    """Several machines cannot do this together."""


class EngineError(StarwellError):
    """The engine could not be asked, or did not answer."""


class NoEngine(EngineError):
    """No engine is running."""


class EngineRunning(EngineError):
    """Another engine is running already."""


class EngineRefused(EngineError):
    """The engine does not speak with this program, or with this user; asking again does not help."""


class Garbled(EngineError):
    """What came over the socket is no message of starwell."""


class TooLittleMemory(StarwellError):
    """A stack that would not fit into memory; what takes less is said."""


class NothingStacked(StarwellError):
    """Not one sub could be stacked."""
