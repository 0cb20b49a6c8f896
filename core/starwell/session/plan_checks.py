"""What only shows when a plan's tables are held against each other."""

from __future__ import annotations

from collections.abc import Collection

from starwell.frame import Kind
from starwell.session.plan import After, AtDawn, BeforeMeridian, End, Plan, Target
from starwell.session.plan_table import Table, listed
from starwell.toml_lines import KeyPath

_TABLES_OF_AFTER = {After.FLATS: "flats", After.DARKS: "darks", After.BIASES: "biases"}


def check(plan: Plan, table: Table, *, site_known: bool, filters: Collection[str]) -> None:
    """Note everything that cannot be carried out; table is the whole plan's."""
    known = plan.rig.filters or tuple(filters)
    if not plan.targets and not plan.after:
        table.fault("", "nothing is exposed; expected a [[target]] with [[target.series]], or [[series]]")
    _check_ends(table, (), plan.ends, site_known)
    for end in plan.ends:
        if isinstance(end, BeforeMeridian):
            table.fault("ends", "the meridian is a target's; expected it in the ends of a [[target]]")
    _check_names(plan, table)
    for path, target in _targets(plan, table):
        _check_ends(table, path, target.ends, site_known)
        _check_meridian(table, path, target, site_known)
        _check_counts(table, path, target, plan.ends)
        _check_pattern(table, path, target)
        _check_filters(table, path, target, known)
    _check_after(plan, table, known)


def _targets(plan: Plan, table: Table) -> list[tuple[KeyPath, Target]]:
    """The targets with their places in the file; series outside of any target come first."""
    loose = 1 if "series" in table and plan.targets and len(plan.targets) > _count(table) else 0
    paths: list[KeyPath] = [()] * loose
    paths += [("target", i) for i in range(len(plan.targets) - loose)]
    return list(zip(paths, plan.targets, strict=True))


def _count(table: Table) -> int:
    return len(table.tables("target"))


def _check_names(plan: Plan, table: Table) -> None:
    met: set[str] = set()
    for path, target in _targets(plan, table):
        if path and target.name in met:
            said = (
                f'a second target is called "{target.name}"' if target.name else "a second target has no name"
            )
            table.notes.add((*path, "name"), f"{said}; expected a name of its own")
        met.add(target.name)


def _check_ends(table: Table, path: KeyPath, ends: tuple[End, ...], site_known: bool) -> None:
    for end in ends:
        if isinstance(end, AtDawn) and not site_known:
            needs = "a [site] with latitude_deg and longitude_deg, here or in the configuration"
            table.notes.add((*path, "ends"), f'"{end}" needs {needs}')


def _check_meridian(table: Table, path: KeyPath, target: Target, site_known: bool) -> None:
    meridian = [end for end in target.ends if isinstance(end, BeforeMeridian)]
    lacking = [key for key, value in (("ra", target.ra_deg), ("dec", target.dec_deg)) if value is None]
    lacking += [] if site_known else ["a [site]"]
    for asked, key in ((meridian, "ends"), (target.hold, "hold_at_meridian")):
        if asked and lacking:
            table.notes.add((*path, key), f"the meridian needs {' and '.join(lacking)}")
    if meridian and target.hold:
        table.notes.add(
            (*path, "hold_at_meridian"),
            f'never comes: "{meridian[0]}" ends the target before; expected one of them',
        )


def _check_counts(table: Table, path: KeyPath, target: Target, night_ends: tuple[End, ...]) -> None:
    if not target.series and path:
        table.notes.add((*path, "series"), "is missing; expected at least one [[target.series]]")
    ends = target.ends or night_ends or table.notes.at((*path, "ends")) or table.notes.at(("ends",))
    for i, series in enumerate(target.series):
        where = (*path, "series", i)
        if series.count is not None or table.notes.at((*where, "count")):
            continue
        if not ends and series.kind is Kind.LIGHT:
            table.notes.add(
                (*where, "count"), "is missing; expected a count, or ends for the target or the night"
            )
        elif not target.pattern and i + 1 < len(target.series):
            table.notes.add(
                (*where, "count"),
                "is missing, so that the series after it never come; expected a count or a pattern",
            )


def _check_pattern(table: Table, path: KeyPath, target: Target) -> None:
    if not target.pattern:
        return
    here = {series.filter for series in target.series}
    for name in dict.fromkeys(target.pattern):
        if name not in here:
            table.notes.add((*path, "pattern"), f'no series has the filter "{name}"')
    for i, series in enumerate(target.series):
        if series.filter not in target.pattern:
            said = f'"{series.filter}" is not' if series.filter else "a series without a filter has no turn"
            table.notes.add(
                (*path, "series", i, "filter"), f"{said} in the pattern {'-'.join(target.pattern)}"
            )


def _check_filters(table: Table, path: KeyPath, target: Target, known: Collection[str]) -> None:
    for i, series in enumerate(target.series):
        if known and series.filter is not None and series.filter not in known:
            table.notes.add(
                (*path, "series", i, "filter"), f'the rig has no "{series.filter}"; expected {listed(known)}'
            )


def _check_after(plan: Plan, table: Table, known: Collection[str]) -> None:
    lights = any(series.kind is Kind.LIGHT for target in plan.targets for series in target.series)
    estimated = any(s.kind is Kind.FLAT and s.exposure_s is None for t in plan.targets for s in t.series)
    for after, name in _TABLES_OF_AFTER.items():
        used = after in plan.after or (after is After.FLATS and estimated)
        if name in table and not used:
            table.fault(name, f'is never used; expected "{after}" in after')
        alone = after is After.FLATS and plan.flats.filters
        if after in plan.after and not lights and not alone:
            table.fault(
                "after", f'"{after}" follow lights, and there are none; expected a [[series]] of that kind'
            )
    if After.WARM_UP in plan.after and plan.cooling is None:
        table.fault("after", '"warm-up" needs a [cooling] with celsius')
    for name in plan.flats.filters:
        if known and name not in known:
            table.notes.add(("flats", "filters"), f'the rig has no "{name}"; expected {listed(known)}')
