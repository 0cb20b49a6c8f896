"""Work and subs whose failure is told, and ends nothing else."""

from __future__ import annotations

from collections.abc import Callable

from starwell.errors import MasterError, StarwellError, StorageError
from starwell.measure.quality import Reason
from starwell.session.events import Event, QualityAdvice, SubRejected


def guarded(work: Callable[[], object], publish: Callable[[Event], None]) -> None:
    """Do it; what goes wrong is told, and the night goes on."""
    try:
        work()
    except StorageError as error:
        publish(QualityAdvice(subject="disk", advice=str(error), serious=True))
    except StarwellError as error:
        publish(QualityAdvice(subject="command", advice=str(error)))
    except Exception as error:  # noqa: BLE001 - a fault in one task must not end the night
        publish(QualityAdvice(subject="fault", advice=fault(error), serious=True))


def refused(number: int, error: Exception) -> SubRejected:
    """What is told of a sub that could not be stacked."""
    match error:
        case StorageError():
            return SubRejected(number=number, reason="unreadable", detail=str(error))
        case MasterError():
            return SubRejected(number=number, reason=Reason.MASTERS_DO_NOT_FIT, detail=str(error))
    return SubRejected(number=number, reason="fault", detail=fault(error))


def fault(error: Exception) -> str:
    """An error nobody foresaw, in words to be reported."""
    return f"{type(error).__name__}: {error}. This is a fault of starwell; please report it."
