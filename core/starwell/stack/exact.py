"""The exact stack: a second pass over all subs about one fixed mean (methods, decision 5).

A running stack judges every sub by the mean it had then. Here the mean of the first pass judges them all,
with the same rules and the same kernels; the order of the subs no longer matters. The fixed mean is kept
where the weights will be, which are added up at the end: memory does not grow, but for single pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starwell.errors import NothingStacked
from starwell.stack.ledger import Entry
from starwell.stack.running import Added, RunningStack
from starwell.stack.warmup import Reread


def second_pass(stack: RunningStack, entries: Iterable[Entry], reread: Reread) -> Iterator[Added]:
    """Stack all of these subs anew about the stack's present mean, one per step.

    NothingStacked when there is no mean yet. Until the stack is cleared it stays at this reference.
    """
    if not stack.stacked:
        raise NothingStacked("There is no first stack to judge the subs by: stack them once, then exactly.")
    stack.fix_reference()
    for entry in entries:
        yield stack.add(reread(entry.number), entry)
