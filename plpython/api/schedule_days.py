"""Which days a schedule fires on, beyond the five sets: the arguments monthdays, nth, workdays, roll and recurs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import DAY_NUMBERS, ROLLS, SETS

_, _, WEEKDAYS, _, _ = SETS
LAST_DAY = 32
SHORTEST_MONTH, LONGEST_MONTH = 28, 31
MONTH_LENGTHS = range(SHORTEST_MONTH, LONGEST_MONTH + 1)
MOST_RECURS = {"day": 9_999, "week": 5_200, "month": 1_200}
RECURS_HINT = "Give '2 weeks', '10 days' or '3 months'; a year is 12 months."


class Days(NamedTuple):
    """The arguments that say which days, as given. *special*: at or @reboot is set, which have no days. *kept*: jscdays is."""

    weekdays: Sequence[int] = ()
    monthdays: Sequence[int] = ()
    nth: Sequence[int] = ()
    workdays: Sequence[int] = ()
    roll: str = ""
    recurs: str = ""
    spread: str = ""
    special: str = ""
    kept: bool = False


def check_numbers(plpy: Plpy, argument: str, numbers: Sequence[int]) -> list[int]:
    """Refuse numbers that *argument*, one of DAY_NUMBERS, can't have; return them in order."""
    first, last = DAY_NUMBERS[argument]
    if len(numbers) > last - first:
        hint = f"Give each from {first} to {last} once."
        raise invalid(argument, f"{argument} has {len(numbers)} numbers", hint)
    for number in numbers:
        if not isinstance(number, int) or not first <= number <= last or number == 0:
            shown = "NULL" if number is None else number
            hint = f"Give numbers from 1 to {last}, or {first} to -1: those count from the end of the month."
            raise invalid(argument, f"{argument} can't be {shown}", hint)
    return sorted(set(numbers))


def check_roll(plpy: Plpy, argument: str, roll: str) -> str:
    """Refuse a way to roll that there is not; '' takes it away."""
    if roll and roll not in ROLLS:
        raise invalid("roll", f'roll "{roll}" is unknown', f"Give {', '.join(ROLLS[:-1])} or {ROLLS[-1]}.")
    return roll


def check_recurs(plpy: Plpy, argument: str, recurs: str) -> str:
    """Return what recurs is kept as, such as "2 weeks"; '' takes it away."""
    if recurs == "":
        return ""
    found = re.fullmatch(r"\s*([0-9]{1,4})\s+(day|week|month|year)s?\s*", recurs.lower())
    if found is None:
        raise invalid("recurs", f"recurs can't be {recurs}", RECURS_HINT)
    number, unit = int(found[1]), found[2]
    if unit == "year":
        number, unit = 12 * number, "month"
    if not 1 <= number <= MOST_RECURS[unit]:
        raise invalid("recurs", f"recurs can't be {recurs}", f"Give 1 to {MOST_RECURS[unit]} {unit}s.")
    return f"{number} {unit}{'s' if number > 1 else ''}"


def _offsets(number: int, length: int) -> int:
    """Return the day of a month of so many days that *number* names; it may lie outside the month."""
    return number if number > 0 else length + 1 + number


def superset(days: Days) -> list[int]:
    """Return the days of the month, as pgAgent's set has them, on which *days* may fire: none for all of them."""
    may: set[int] = set()
    for number in days.monthdays:
        if number in (-1, LAST_DAY):
            may.add(LAST_DAY)
        else:
            may |= {_offsets(number, length) for length in MONTH_LENGTHS}
    for numbers, reach in ((days.nth, _reach_of_nth), (days.workdays, _reach_of_workday)):
        reached = {day for number in numbers for length in MONTH_LENGTHS for day in reach(number, length)}
        if not reached:
            continue
        if LAST_DAY in may and reached & set(MONTH_LENGTHS):
            reached.add(LAST_DAY)
        may = (may & reached or may) if may else reached
    may &= set(range(1, LAST_DAY + 1))
    return [] if may >= set(range(1, LONGEST_MONTH + 1)) else sorted(may)


def _reach_of_nth(number: int, length: int) -> Iterable[int]:
    """Return on which days of the month the weekday with this number can lie."""
    last = 7 * number if number > 0 else length + 7 * (number + 1)
    return range(max(1, last - 6), min(length, last) + 1)


def _reach_of_workday(number: int, length: int) -> Iterable[int]:
    """Return on which days of the month the working day with this number can lie."""
    return range(number, length + 1) if number > 0 else range(1, length + 2 + number)


FLAGGED = """
ARRAY(SELECT n - 1 + {first} FROM unnest(s.jsc{name}) WITH ORDINALITY f (flag, n) WHERE flag ORDER BY n)::int4[] AS {name}"""
FIND_DAYS = Statement(
    f"""
SELECT {", ".join(FLAGGED.format(name=name, first=first) for name, (first, _) in SETS.items())},
       o.jscdays AS days, coalesce(o.jscnth, '{{}}') AS nth, coalesce(o.jscworkdays, '{{}}') AS workdays,
       coalesce(o.jscroll, '') AS roll, coalesce(o.jscrecurs, '') AS recurs,
       coalesce(o.jscspread::text, '') AS spread,
       CASE WHEN o.jscreboot THEN '@reboot' WHEN o.jscat IS NOT NULL THEN 'at' ELSE '' END AS special,
       o.jscdays IS NOT NULL AS kept
  FROM pgagent.pga_schedule s LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid WHERE s.jscid = $1""",
    "int4",
)


def read_days(plpy: Plpy, schedule: int | None) -> Days:
    """Return the days of a schedule as they were given."""
    (row,) = FIND_DAYS(plpy, schedule)
    days = Days(**{name: row[name] for name in Days._fields})
    return days if row["days"] is None else days._replace(monthdays=row["days"])


def check_together(days: Days) -> None:
    """Refuse days that do not go together."""
    if days.nth and not days.weekdays:
        raise invalid("nth", "nth is given, but no weekdays", "Give weekdays, too: nth says which of them.")
    for name in ("monthdays", "nth", "roll"):
        if days.workdays and getattr(days, name):
            hint = f"Give one of them; {name} => {NOTHING[name]} takes {name} back."
            raise invalid("workdays", f"workdays and {name} do not go together", hint)
    for name in ("nth", "workdays", "roll", "recurs"):
        if days.special and getattr(days, name):
            hint = f"Leave {name} out: such a schedule has no days to choose from."
            raise invalid(name, f"{name} and {days.special} do not go together", hint)
    if days.special and days.spread:
        hint = f"Leave spread out, or take it back by '0': {days.special} is one time."
        raise invalid("spread", f"spread and {days.special} do not go together", hint)


def settle(plpy: Plpy, before: Days, new: Mapping[str, Any], options: dict[str, Any]) -> list[int] | None:
    """Check the days of a schedule with what is *new*, and complete its *options*; return its set monthdays if that changes.

    What takes an option back that the schedule does not have is left out: it needs no row.
    """
    for name in ("nth", "workdays", "roll", "recurs"):
        if not options.get(f"jsc{name}", True) and not getattr(before, name):
            del options[f"jsc{name}"]
    days = before._replace(**new)
    if days == before:
        return None
    check_together(days)
    if new.keys() & SETS.keys():
        _notice_last_day(plpy, days)
    if not new.keys() & {"monthdays", "nth", "workdays"}:
        return None
    if is_special(days):
        options["jscdays"] = sorted(set(days.monthdays))
    elif before.kept:
        options["jscdays"] = [0]
    return superset(days)


def is_special(days: Days) -> bool:
    """Return whether pgAgent's set has more days of the month than *days* say."""
    return bool(days.nth or days.workdays or any(number < -1 for number in days.monthdays))


NOTHING = {"monthdays": "'{}'", "nth": "'{}'", "roll": "''"}
LAST_DAY_NOTICE = (
    "monthdays: the last day of the month fires only if it is one of the weekdays; workdays => '{-1}' is the last "
    "working day of each month, nth => '{-1}' the last of each of the weekdays"
)


def _notice_last_day(plpy: Plpy, days: Days) -> None:
    """Say so where the last working day may be meant."""
    last = days.monthdays and set(days.monthdays) <= {LAST_DAY, -1}
    if last and 0 < len(set(days.weekdays)) < 7 and not (days.nth or days.roll):
        plpy.notice(LAST_DAY_NOTICE)


def spell_out(value: Row) -> Row:
    """Return a schedule of a document with the set and the days that its monthdays, nth and workdays stand for."""
    numbers = {name: value.get(name) or [] for name in DAY_NUMBERS}
    if not all(isinstance(given, list) and all(type(n) is int for n in given) for given in numbers.values()):
        return value
    days = Days((), numbers["monthdays"], numbers["nth"], numbers["workdays"])
    if value.get("days") is not None or not (is_special(days) or -1 in days.monthdays):
        return value
    return value | {"monthdays": superset(days), "days": list(days.monthdays) if is_special(days) else None}


def check_document(value: Row) -> None:
    """Refuse days of a schedule in a document that do not go together; other checks find what is of the wrong kind.

    With *days* it is an export, which has what is there: somebody may have taken the weekdays of nth off in pgAdmin.
    """
    lists: dict[str, Any] = {name: value.get(name) or [] for name in (WEEKDAYS, *DAY_NUMBERS)}
    words: dict[str, Any] = {name: value.get(name) or "" for name in ("roll", "recurs", "spread")}
    special = "@reboot" if value.get("reboot") else "at" if value.get("at") else ""
    if value.get("days") is None and all(isinstance(given, list) for given in lists.values()):
        check_together(Days(special=special)._replace(**lists, **words))


def check_row(plpy: Plpy, row: Row) -> None:
    """Refuse options of days, of a document, that are wrong. The table refuses other kinds of values."""
    for column, argument in (("jscnth", "nth"), ("jscworkdays", "workdays"), ("jscdays", "monthdays")):
        given = row[column]
        if isinstance(given, list):
            row[column] = check_numbers(plpy, argument, given) or (given if column == "jscdays" else None)
    for name, check in (("roll", check_roll), ("recurs", check_recurs)):
        if isinstance(row[f"jsc{name}"], str):
            row[f"jsc{name}"] = check(plpy, name, row[f"jsc{name}"]) or None
