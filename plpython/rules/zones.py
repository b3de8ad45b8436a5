"""Time zones as PostgreSQL knows them: which offset was in force when.

Everything is whole seconds. An *instant* counts from 1970-01-01 00:00 UTC; a *wall* time is what the
zone's clock shows then, that is instant + offset. Offsets come from the server, never from a zone
database of Python's. So a name means here what it means in ``SET TimeZone``; if that does not know it,
because it is an abbreviation like MSK, it means what it means in ``AT TIME ZONE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy

__all__ = ["FIRST_INSTANT", "LAST_INSTANT", "SHIFT", "Zone", "check_zone", "get_zone", "load_offsets"]

DAY = 86_400

# The range of timestamptz.
FIRST_INSTANT = -210_866_803_200
LAST_INSTANT = 9_224_318_015_999

# Offsets are kept in chunks of a quarter of a mean year: finding one is a division, and loading one costs
# little enough for schedules that fire once in years.
CHUNK = 7_889_238

# Longer than any difference between two offsets (the largest jump was a whole day).
SHIFT = 2 * DAY

# No zone has changed its offset twice within less than four days.
PROBE = 3 * DAY
# Into how many parts a span with a change is cut, again and again.
SPLIT = 16

# By then, every zone that the databases know follows a rule which repeats itself within a year (Morocco's list of dates, too).
RULES_REPEAT = 2_145_916_800  # 2038
# Until then, each had the one offset of its own noon.
FIRST_CHANGES = -5_364_662_400  # 1800
YEAR = 366 * DAY

MAX_ZONES = 512

Segment = tuple[int, int, int]
"""(start, end, offset): from instant start up to, not including, instant end the offset is constant."""

LoadOffsets = Callable[[int, int], Iterable[tuple[int, int]]]
"""(low, high) -> (low, offset) and each (instant, new offset) up to high, in order."""


class Zone:
    """One time zone; asks *load* for the offsets of a quarter year when they are first needed."""

    __slots__ = ("_chunks", "_load", "_offsets", "name")

    def __init__(self, name: str, load: LoadOffsets) -> None:
        self.name = name
        self._load = load
        self._chunks: dict[int, list[Segment]] = {}
        self._offsets: dict[int, frozenset[int]] = {}

    def segment(self, instant: int) -> Segment:
        """Return the stretch of constant offset around *instant*, cut at the bounds of its chunk."""
        index = instant // CHUNK
        chunk = self._chunks.get(index)
        if chunk is None:
            chunk = self._chunks[index] = self._load_chunk(index)
        for segment in chunk:
            if instant < segment[1]:
                return segment
        raise AssertionError("a chunk covers all its instants")

    def instant(self, wall: int) -> int:
        """Return the first instant at which the clock shows *wall* or more.

        A time that the clock skips is the first instant after the gap. A time that it shows twice is the
        first of the two.
        """
        start, end, offset = self.segment(wall)
        if start + SHIFT <= wall < end - SHIFT:
            return wall - offset
        probe = wall - SHIFT
        while True:
            start, end, offset = self.segment(probe)
            if end + offset > wall:
                return max(start, wall - offset)
            probe = end

    def high_water(self, instant: int) -> int:
        """Return the first wall time that the clock had not reached or jumped over before *instant*."""
        start, _, offset = self.segment(instant)
        water = instant + offset
        if instant - start >= SHIFT:
            return water
        if instant == start:
            water -= SHIFT  # times that a jump at this very instant skips are still to come
        while instant - start < SHIFT:
            begin, end, offset = self.segment(start - 1)
            water = max(water, end + offset)
            start = begin
        return water

    def offsets(self, instant: int) -> frozenset[int]:
        """Return all offsets that are in force at *instant* or at any time later."""
        index = instant // CHUNK
        known = self._offsets.get(index)
        if known is None:
            begin = max(index * CHUNK, FIRST_CHANGES)
            low, high = _representable(begin, max(begin + CHUNK, RULES_REPEAT) + YEAR)
            known = self._offsets[index] = frozenset(offset for _, offset in self._load(low, high))
        return known

    def _load_chunk(self, index: int) -> list[Segment]:
        low, high = _representable(index * CHUNK, (index + 1) * CHUNK)
        changes = list(self._load(low, high))
        starts = [index * CHUNK, *(instant for instant, _ in changes[1:])]
        ends = [*starts[1:], (index + 1) * CHUNK]
        return [(start, end, offset) for start, end, (_, offset) in zip(starts, ends, changes) if start < end]


def _representable(low: int, high: int) -> tuple[int, int]:
    """Return both within a day of the ends of timestamptz: beyond, a wall time need not be one."""
    low = min(max(low, FIRST_INSTANT + DAY), LAST_INSTANT - DAY)
    return low, max(min(high, LAST_INSTANT - DAY), low)


_zones: dict[str, Zone] = {}


def get_zone(plpy: Plpy, name: str) -> Zone:
    """Return the zone that PostgreSQL calls *name*; kept for the session once its offsets are loaded."""
    zone = _zones.get(name)
    if zone is None:
        if len(_zones) >= MAX_ZONES:
            _zones.clear()
        zone = _zones[name] = Zone(name, lambda low, high: load_offsets(plpy, name, low, high))
    return zone


def load_offsets(plpy: Plpy, name: str, low: int, high: int) -> list[tuple[int, int]]:
    """Return (low, offset) and each (instant, new offset) up to *high* of zone *name*, from the server.

    Raises the server's own error for a name that it does not know.
    """
    session = _session(plpy)
    try:
        abbreviation = None if _set_zone(plpy, name) else name
        probes = _probe(plpy, abbreviation, [*range(low, high, PROBE), high])
        first, changes, step = probes[0], _changes(probes), PROBE
        while changes and step > 1:
            step = -(-step // SPLIT)
            closer = [
                at for (before, _), (after, _) in changes for at in (*range(before, after, step), after)
            ]
            changes = _changes(_probe(plpy, abbreviation, closer))
    finally:
        _set_session(plpy, *session)  # after an error, too: whoever notes it goes on in the same transaction
    return [first, *(after for _, after in changes)]


def _set_zone(plpy: Plpy, name: str) -> bool:
    """Set TimeZone to *name*; return False, having set UTC, if that is an abbreviation.

    A few names are both, such as CET. The zone has summer time, the abbreviation has not, and a server with TimeZone = CET
    means the zone. A bare number is no zone here: in TimeZone it has the opposite sign.
    """
    if name[:1].isalpha():
        try:
            _set_session(plpy, name, DEFAULT_ABBREVIATIONS)
            return True
        except plpy.spiexceptions.InvalidParameterValue:
            pass
    _set_session(plpy, "UTC", DEFAULT_ABBREVIATIONS)
    return False


# The instants are timestamps of UTC: to_timestamp() rounds to milliseconds in far years, and adding days
# to a timestamptz would depend on the session. Without an abbreviation the wall clock is that of TimeZone.
OFFSETS = Statement(
    """
SELECT pg_catalog.array_agg(EXTRACT(epoch FROM coalesce(moment AT TIME ZONE $1, moment::timestamp) - utc)::int ORDER BY n)
       AS offsets
FROM pg_catalog.unnest($2) WITH ORDINALITY AS given (instant, n),
     LATERAL (SELECT timestamp 'epoch'
                     + pg_catalog.make_interval(days => (instant / 86400)::int, secs => instant % 86400))
     AS wall (utc),
     LATERAL (SELECT utc AT TIME ZONE 'UTC') AS real (moment)""",
    "text",
    "bigint[]",
)


def _probe(plpy: Plpy, abbreviation: str | None, instants: list[int]) -> list[tuple[int, int]]:
    return list(zip(instants, OFFSETS(plpy, abbreviation, instants)[0]["offsets"]))


def _changes(probes: list[tuple[int, int]]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the neighbours among *probes* whose offsets differ."""
    return [(before, after) for before, after in zip(probes, probes[1:]) if before[1] != after[1]]


USE_ZONE = Statement("SELECT pg_catalog.to_timestamp(0) AT TIME ZONE $1", "text")


def check_zone(plpy: Plpy, name: str | None, argument: str = "timezone") -> None:
    """Raise an error that names *argument* unless PostgreSQL knows *name* as a time zone; None passes."""
    if name is None or name in _known:
        return
    session = _session(plpy)
    _set_session(plpy, "UTC", DEFAULT_ABBREVIATIONS)
    try:
        USE_ZONE(plpy, name)
    except plpy.spiexceptions.InvalidParameterValue:
        raise invalid(
            argument,
            f'time zone "{name}" is not known',
            "SELECT name FROM pg_timezone_names lists the names, such as Europe/Paris.",
        ) from None
    _set_session(plpy, *session)
    if len(_known) >= MAX_ZONES:
        _known.clear()
    _known.add(name)


# Names that check_zone() has found. The server reads a zone once for a session.
_known: set[str] = set()


DEFAULT_ABBREVIATIONS = "Default"
SESSION = Statement("""
SELECT pg_catalog.current_setting('TimeZone') AS zone, pg_catalog.current_setting('timezone_abbreviations') AS abbreviations""")


def _session(plpy: Plpy) -> tuple[str, str]:
    """Return the two settings that decide what a zone name means: TimeZone and timezone_abbreviations.

    From PostgreSQL 18 on, the abbreviations of TimeZone come before the others.
    """
    row = SESSION(plpy)[0]
    return row["zone"], row["abbreviations"]


# Local to the transaction, so that an error undoes it as well.
SET_SESSION = Statement(
    "SELECT pg_catalog.set_config('TimeZone', $1, true), pg_catalog.set_config('timezone_abbreviations', $2, true)",
    "text",
    "text",
)


def _set_session(plpy: Plpy, zone: str, abbreviations: str) -> None:
    SET_SESSION(plpy, zone, abbreviations)
