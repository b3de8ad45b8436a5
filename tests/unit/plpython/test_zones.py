"""Offsets of time zones: the first instant of a wall time, and what the clock has shown already."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from plpython.rules.schedule import merge_runs
from plpython.rules.zones import CHUNK, FIRST_INSTANT, LAST_INSTANT, Zone
from tests.unit.plpython.oracle import UTC, Rule, compiled, instant_of, zone


def wall(text: str) -> int:
    """Return a wall time in seconds: those of UTC's clock."""
    return instant_of(text)


@pytest.mark.parametrize(
    ("name", "wall_time", "expected"),
    [
        ("UTC", "2024-03-31 02:30", "2024-03-31 02:30"),
        ("Europe/Paris", "2024-03-31 01:59", "2024-03-31 00:59"),
        ("Europe/Paris", "2024-03-31 02:00", "2024-03-31 01:00"),
        ("Europe/Paris", "2024-03-31 02:30", "2024-03-31 01:00"),
        ("Europe/Paris", "2024-03-31 03:00", "2024-03-31 01:00"),
        ("Europe/Paris", "2024-03-31 03:01", "2024-03-31 01:01"),
        ("Europe/Paris", "2024-10-27 02:30", "2024-10-27 00:30"),
        ("Europe/Paris", "2024-10-27 03:00", "2024-10-27 02:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00"),
        ("Pacific/Kwajalein", "1993-08-21 00:30", "1993-08-21 12:00"),
    ],
)
def test_instant_is_the_first_that_shows_the_wall_time_or_more(
    name: str, wall_time: str, expected: str
) -> None:
    assert zone(name).instant(wall(wall_time)) == instant_of(expected)


@pytest.mark.parametrize(
    ("name", "instant", "expected"),
    [
        ("Europe/Paris", "2024-03-31 00:59", "2024-03-31 01:59"),
        ("Europe/Paris", "2024-03-31 01:00", "2024-03-31 02:00"),
        ("Europe/Paris", "2024-03-31 01:01", "2024-03-31 03:01"),
        ("Europe/Paris", "2024-10-27 00:59", "2024-10-27 02:59"),
        ("Europe/Paris", "2024-10-27 01:00", "2024-10-27 03:00"),
        ("Europe/Paris", "2024-10-27 01:30", "2024-10-27 03:00"),
        ("Europe/Paris", "2024-10-27 02:01", "2024-10-27 03:01"),
    ],
)
def test_high_water_is_what_the_clock_has_yet_to_show(name: str, instant: str, expected: str) -> None:
    assert zone(name).high_water(instant_of(instant)) == wall(expected)


def test_segments_join_without_gaps() -> None:
    paris = zone("Europe/Paris")
    at = instant_of("1970-01-01")
    while at < instant_of("2040-01-01"):
        start, end, offset = paris.segment(at)
        assert start <= at < end
        assert offset in (3_600, 7_200)
        at = end


def test_seams_between_chunks_do_not_show() -> None:
    utc = zone("UTC")
    for at in range(220 * CHUNK - 200_000, 220 * CHUNK + 200_000, 7_919):
        assert utc.instant(at) == utc.high_water(at) == at


def test_offsets_are_loaded_once_and_only_where_needed() -> None:
    asked: list[tuple[int, int]] = []

    def load(low: int, high: int) -> list[tuple[int, int]]:
        asked.append((low, high))
        return [(low, 3_600)]

    lazy = Zone("Somewhere/Else", load)
    assert asked == []
    for _ in range(3):
        assert lazy.instant(wall("2024-06-01 12:00")) == instant_of("2024-06-01 11:00")
    (low, high) = asked[0]
    assert low <= instant_of("2024-06-01 11:00") < high == low + CHUNK
    assert len(asked) == 1


def test_offsets_at_the_ends_of_timestamptz() -> None:
    """A day from the ends on, the offset of the end holds: the wall time there need not exist."""
    asked: list[tuple[int, int]] = []

    def load(low: int, high: int) -> list[tuple[int, int]]:
        asked.append((low, high))
        return [(low, -3_600)]

    edge = Zone("Somewhere/Else", load)
    assert edge.segment(LAST_INSTANT)[2] == edge.segment(FIRST_INSTANT)[2] == -3_600
    assert edge.segment(LAST_INSTANT + 2 * CHUNK)[2] == -3_600
    assert all(FIRST_INSTANT < low <= high < LAST_INSTANT for low, high in asked)


def test_all_offsets_of_the_time_to_come() -> None:
    paris = zone("Europe/Paris")
    assert paris.offsets(instant_of("2024-01-01")) == {3_600, 7_200}
    assert paris.offsets(instant_of("1800-01-01")) >= {561, 0, 3_600, 7_200}
    assert paris.offsets(LAST_INSTANT) == {paris.segment(LAST_INSTANT)[2]}


def test_no_zone_has_other_offsets_after_those_looked_at() -> None:
    others = {}
    for name in available_timezones() - {"localtime", "posixrules", "Factory"}:
        known = {timedelta(seconds=offset) for offset in zone(name).offsets(instant_of("2026-01-01"))}
        start, key = datetime(2040, 1, 1, tzinfo=UTC), ZoneInfo(name)
        early = {datetime(year, 1, 1, tzinfo=UTC).astimezone(key).utcoffset() for year in range(2, 1801)}
        assert len(early) == 1, name
        later = {(start + timedelta(weeks=n)).astimezone(key).utcoffset() for n in range(60 * 52)}
        if not later <= known:
            others[name] = later - known
    assert others == {}


def test_an_offset_with_seconds_moves_runs_off_the_minute() -> None:
    """Until 1972 Liberia's clock was 44 minutes and 30 seconds behind: a full minute there is a half one here."""
    runs = merge_runs([(compiled(Rule(zone="Africa/Monrovia")), zone("Africa/Monrovia"))], 0, 2)
    assert runs == [30, 90]


@pytest.mark.parametrize(
    "shifts",
    [
        pytest.param([(0, 0), (10_000, 3_600), (11_000, 0), (12_000, 3_600)], id="to and fro in an hour"),
        pytest.param([(0, 50_000), (40_000, -36_400), (90_000, 50_000)], id="a day back, a day forth"),
        pytest.param([(0, -43_200), (50_000, 50_400), (50_060, -43_200)], id="a day forth for a minute"),
    ],
)
def test_instant_and_high_water_are_what_walking_finds(shifts: list[tuple[int, int]]) -> None:
    """Any sequence of offsets, even ones that no government has thought of."""
    begin = 120 * CHUNK + 1_000_000
    changes = [(begin + at, offset) for at, offset in shifts]

    def load(low: int, high: int) -> list[tuple[int, int]]:
        first = next((offset for at, offset in reversed(changes) if at <= low), shifts[0][1])
        return [(low, first), *((at, offset) for at, offset in changes if low < at < high)]

    def shown(at: int) -> int:
        return at + next((offset for change, offset in reversed(changes) if change <= at), shifts[0][1])

    odd, step = Zone("Somewhere/Odd", load), 20
    new_from = max(shown(at) for at in range(begin - 200_000, begin - 20_000, step)) + step
    for at in range(begin - 20_000, begin + 200_000, step):
        assert odd.high_water(at) == new_from
        for wall_time in range(new_from, shown(at) + 1, 3_600):  # what is new at this instant, gaps included
            assert odd.instant(wall_time) == at
        new_from = max(new_from, shown(at) + step)
