"""Whether the first subs of a series showed another field: the mount had not settled on the target yet."""

from __future__ import annotations

from starwell.measure.quality import Reason
from starwell.session.members import Members
from starwell.session.registration import Candidate, Registration, register

STRAYS = 3
"""So many subs that match each other but not the first one prove the first one wrong."""


def other_field(members: Members) -> tuple[Candidate, dict[int, Registration]] | None:
    """The newest sub that matched nothing, and the places on it of those that match it.

    None unless at least 3 match, and more than are stacked: one odd sub must not overturn a good start.
    """
    strays = {
        number: member.candidate
        for number, member in members.by_number.items()
        if member.reason == Reason.NO_MATCH and member.candidate is not None
    }
    if len(strays) < STRAYS or len(strays) <= members.count():
        return None
    newest = next(reversed(strays.values()))
    places = {number: register(candidate, newest) for number, candidate in strays.items()}
    agreeing = {number: place for number, place in places.items() if isinstance(place, Registration)}
    return (newest, agreeing) if len(agreeing) >= STRAYS else None
