"""Work whose failure is told, and ends nothing else."""

from __future__ import annotations

from collections.abc import Callable

from starwell.errors import StarwellError, StorageError
from starwell.session.events import Event, QualityAdvice


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


def fault(error: Exception) -> str:
    """An error nobody foresaw, in words to be reported."""
    return f"{type(error).__name__}: {error}. This is a fault of starwell; please report it."
