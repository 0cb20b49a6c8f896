"""Several machines as one: tasks go out to the workers of a Dask scheduler, and again where one is lost."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from types import TracebackType
from typing import Any, TypeVar

from starwell.errors import ClusterError, StarwellError

try:
    import distributed
except ModuleNotFoundError as missing:
    raise ClusterError(
        "--dask needs Dask here and on every worker: pip install 'starwell[cluster]'."
    ) from missing

Item = TypeVar("Item")
Made = TypeVar("Made")

_CONNECT_S = 5.0
_WORKERS_S = 3.0
_LOOK_S = 1.0
_NOBODY_S = 300.0
"""So long the last worker may be gone before its tasks are given up."""
_TRIES = 5
"""So often a task goes out that machines are lost with."""
_AHEAD = 2
"""Tasks out per place where one can run: none waits for the next."""


class Cluster:
    """The workers of the scheduler at this address; ClusterError where it or they are not there."""

    def __init__(self, address: str) -> None:
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it says is said here
        self._shared: dict[int, tuple[Any, Any]] = {}
        with warnings.catch_warnings():
            # Dask compares all its own packages; those that matter are compared by check_workers.
            warnings.simplefilter("ignore")
            try:
                self._client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:
                raise ClusterError(
                    f"No Dask scheduler answers at {address}: {_short(error)}. Start one with "
                    "`dask scheduler` and give the address it prints, such as tcp://192.168.1.10:8786."
                ) from error
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError as error:
            self.close()
            raise ClusterError(
                f"The scheduler at {address} has no workers. Start them on every machine with "
                f"`dask worker {address} --nworkers 1 --nthreads 1`."
            ) from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; scheduler and workers stay."""
        self._client.close(timeout=5)

    @property
    def places(self) -> dict[str, int]:
        """How many tasks each worker runs at a time, by its address."""
        return dict(self._client.nthreads())

    def ask_all(self, work: Callable[..., Made], *given: Any) -> dict[str, Made]:
        """What every worker answers, by its address; ClusterError where one cannot."""
        try:
            return dict(self._client.run(work, *given))
        except (ImportError, AttributeError) as error:
            raise ClusterError(
                f"A worker has no starwell, or another one ({_short(error)}). Install the same "
                "starwell[cluster] on every machine."
            ) from error
        except OSError as error:
            raise ClusterError(f"A worker was lost before it began ({_short(error)}). Try again.") from error

    def each(
        self, work: Callable[..., Made], items: Sequence[Item], *shared: Any
    ) -> Iterator[tuple[int, Made]]:
        """work(*shared, item) for every item, with its index, as they come.

        shared goes once to every worker and stays there until `forget`. What work raises is raised here. A
        worker that is lost costs what it was at: that goes to others, up to 5 times. ClusterError when the
        scheduler or all workers are gone.
        """
        out = _Out(self, work, items, shared)
        waiting = iter(range(len(items)))
        try:
            while out.top_up(waiting, _AHEAD * sum(self.places.values())):
                yield from out.done()
        finally:
            out.cancel()

    def submit(self, work: Callable[..., Any], shared: Sequence[Any], item: Any) -> Any:
        """A task as Dask's future."""
        return self._client.submit(work, *map(self._sent, shared), item, pure=False)

    def cancel(self, futures: Sequence[Any]) -> None:
        """Take tasks back."""
        self._client.cancel(list(futures), force=True)

    def forget(self) -> None:
        """Let go of what the workers share: what is shared next is sent anew."""
        self._shared.clear()

    def mend(self) -> None:
        """Have sent anew what was lost with the last worker that had it."""
        self._shared = {
            key: (v, sent) for key, (v, sent) in self._shared.items() if sent.status == "finished"
        }

    def _sent(self, value: Any) -> Any:
        """What stands for this value on the workers. Copies on all: it cannot be made again."""
        since = monotonic()
        while id(value) not in self._shared:
            try:
                sent = self._client.scatter(value, broadcast=True, hash=False, timeout=_WORKERS_S)
                self._shared[id(value)] = value, sent
            except (OSError, TimeoutError):
                self.check_alive(since)
                sleep(_LOOK_S)
        return self._shared[id(value)][1]

    def check_alive(self, since: float) -> None:
        """ClusterError where the scheduler is gone, or all workers since that monotonic time."""
        if self._client.status != "running":
            raise ClusterError("The Dask scheduler is gone. Start it and the workers, and stack again.")
        if not self.places and monotonic() - since > _NOBODY_S:
            raise ClusterError(f"No worker has been there for {_NOBODY_S:.0f} s. Start them and stack again.")

    def in_order(
        self, work: Callable[..., Sequence[Made]], items: Sequence[Item], *shared: Any
    ) -> Iterator[Made]:
        """What work makes of all items, one after the other, in their order."""
        early: dict[int, Sequence[Made]] = {}
        turn = 0
        for index, made in self.each(work, items, *shared):
            early[index] = made
            while turn in early:
                yield from early.pop(turn)
                turn += 1


class _Out:
    """The tasks that are out."""

    def __init__(
        self, cluster: Cluster, work: Callable[..., Any], items: Sequence[Any], shared: Sequence[Any]
    ) -> None:
        self._cluster = cluster
        self._work = work
        self._items = items
        self._shared = shared
        self._out: dict[Any, int] = {}
        self._back: SimpleQueue[Any] = SimpleQueue()
        self._tries: Counter[int] = Counter()
        self._peopled = monotonic()

    def top_up(self, waiting: Iterator[int], most: int) -> int:
        """Send tasks until so many are out; how many are."""
        while len(self._out) < max(most, 1) and (index := next(waiting, None)) is not None:
            self._send(index)
        return len(self._out)

    def _send(self, index: int) -> None:
        self._tries[index] += 1
        future = self._cluster.submit(self._work, self._shared, self._items[index])
        self._out[future] = index
        future.add_done_callback(self._back.put)

    def done(self) -> Iterator[tuple[int, Any]]:
        """Those that are back; what is lost goes out again."""
        try:
            future = self._back.get(timeout=_LOOK_S)
        except Empty:
            if self._cluster.places:
                self._peopled = monotonic()
            self._cluster.check_alive(self._peopled)
            return
        index = self._out.pop(future)
        made = self._fetched(future)
        if not isinstance(made, _Lost):
            yield index, made
            return
        if self._tries[index] >= _TRIES:
            raise ClusterError(
                f"Workers were lost {_TRIES} times with the same task: they may lack memory "
                "(docs/guide/cluster.md says how much a task takes)."
            )
        self._cluster.mend()
        self._send(index)

    def _fetched(self, future: Any) -> Any:
        if future.status == "error":
            error = future.exception()
            if isinstance(error, distributed.KilledWorker):
                return _Lost()
            if isinstance(error, StarwellError | MemoryError):
                raise error
            raise ClusterError(f"A worker failed: {_short(error)}.") from error
        try:
            return future.result() if future.status == "finished" else _Lost()
        except (OSError, concurrent.futures.CancelledError, asyncio.CancelledError):
            return _Lost()

    def cancel(self) -> None:
        """Take back what is still out."""
        self._cluster.cancel(list(self._out))
        self._out.clear()


class _Lost:
    """The outcome of a task whose worker is gone."""


def _short(error: BaseException) -> str:
    """The last words of an error."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}" if str(error) else repr(error)
