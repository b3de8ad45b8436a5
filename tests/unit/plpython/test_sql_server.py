"""SQL Server Agent's schedules, of each freq_type, as arguments of add_schedule."""

import datetime
from typing import Any

import pytest

from plpython.api.sql_server import SATURDAY, SUNDAY, WEEKEND, CannotCarryError, read_schedule

START = {
    "active_start_date": 20300107,
    "active_end_date": 99991231,
    "active_start_time": 93000,
    "active_end_time": 235959,
}
AT = {"hours": [9], "minutes": [30], "start": "2030-01-07 00:00:00"}


@pytest.mark.parametrize(
    ("row", "arguments"),
    [
        ({"freq_type": 1}, [{"at": "2030-01-07 09:30:00"}]),
        ({"freq_type": 4, "freq_interval": 1}, [AT]),
        ({"freq_type": 4, "freq_interval": 3}, [AT | {"recurs": "3 days"}]),
        ({"freq_type": 8, "freq_interval": 62, "freq_recurrence_factor": 1}, [AT | {"weekdays": [1, 2, 3, 4, 5]}]),
        ({"freq_type": 8, "freq_interval": 2, "freq_recurrence_factor": 2}, [AT | {"weekdays": [1], "recurs": "2 weeks"}]),
        ({"freq_type": 16, "freq_interval": 15, "freq_recurrence_factor": 3}, [AT | {"monthdays": [15], "recurs": "3 months"}]),
        ({"freq_type": 32, "freq_interval": 6, "freq_relative_interval": 16}, [AT | {"weekdays": [5], "nth": [-1]}]),
        ({"freq_type": 32, "freq_interval": 1, "freq_relative_interval": 4}, [AT | {"weekdays": [0], "nth": [3]}]),
        ({"freq_type": 32, "freq_interval": 8, "freq_relative_interval": 16}, [AT | {"monthdays": [-1]}]),
        ({"freq_type": 32, "freq_interval": 9, "freq_relative_interval": 1}, [AT | {"workdays": [1]}]),
        ({"freq_type": 64}, [{"cron": "@reboot"}]),
        (
            {"freq_type": 4, "freq_interval": 1, "freq_subday_type": 8, "freq_subday_interval": 4, "active_end_date": 20301231},
            [AT | {"hours": [9, 13, 17, 21], "minutes": [30], "end": "2030-12-31 23:59:59"}],
        ),
        (
            {"freq_type": 4, "freq_interval": 1, "freq_subday_type": 4, "freq_subday_interval": 20, "active_end_time": 103000},
            [AT | {"minutes": [30, 50]}, AT | {"hours": [10], "minutes": [10, 30]}],
        ),
        (
            {"freq_type": 4, "freq_interval": 1, "freq_subday_type": 4, "freq_subday_interval": 1, "active_start_time": 0},
            [{"start": "2030-01-07 00:00:00"}],
        ),
        (
            {"freq_type": 4, "freq_interval": 1, "freq_subday_type": 2, "freq_subday_interval": 15, "active_start_time": 0},
            [{"every": "15 seconds", "start": "2030-01-07 00:00:00"}],
        ),
        (
            {"freq_type": 4, "freq_interval": 1, "freq_subday_type": 2, "freq_subday_interval": 7, "active_end_time": 93100},
            [{"hours": [9], "minutes": [30, 31], "every": "7 seconds", "start": "2030-01-07 09:30:00"}],
        ),
        (
            {"freq_type": 4, "freq_interval": 1, "freq_subday_type": 8, "freq_subday_interval": 6, "active_end_time": 40000},
            [AT | {"hours": [3, 9, 15, 21]}],
        ),
        # Weeks that begin on Sunday, where that makes no difference
        (
            {"freq_type": 8, "freq_interval": 1, "freq_recurrence_factor": 2, "active_start_date": 20300106},
            [AT | {"weekdays": [0], "recurs": "2 weeks", "start": "2030-01-06 00:00:00"}],
        ),
    ],
)  # fmt: skip
def test_schedule(row: dict[str, Any], arguments: list[dict[str, Any]]) -> None:
    assert read_schedule(START | row)[0] == arguments


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"freq_type": 128}, "idle"),
        ({"freq_type": 2}, "freq_type 2 is unknown"),
        ({"freq_type": 8, "freq_interval": 1, "freq_recurrence_factor": 2}, "weeks begin on Sunday"),
        (
            {"freq_type": 8, "freq_interval": 2, "freq_recurrence_factor": 2, "active_start_date": 20300106},
            "Sunday",
        ),
        ({"freq_type": 8, "freq_interval": 0}, "no weekday"),
        ({"freq_type": 32, "freq_interval": 11, "freq_relative_interval": 1}, "unknown"),
        (
            {
                "freq_type": 4,
                "freq_interval": 2,
                "freq_subday_type": 4,
                "freq_subday_interval": 5,
                "active_end_time": 1,
            },
            "past midnight",
        ),
    ],
)
def test_what_cannot_be_carried_over_says_why(row: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotCarryError, match=why):
        read_schedule(START | row)


@pytest.mark.parametrize("place", WEEKEND)
def test_the_nth_weekend_day_is_that_of_a_calendar(place: int) -> None:
    for month in [datetime.date(year, month, 1) for year in range(2000, 2030) for month in range(1, 13)]:
        following = (month + datetime.timedelta(31)).replace(day=1)
        days = [month + datetime.timedelta(number) for number in range((following - month).days)]
        weekend = [day for day in days if day.isoweekday() % 7 in (SATURDAY, SUNDAY)]
        found = [
            day
            for day in days
            for weekday, numbers in WEEKEND[place]
            if day.isoweekday() % 7 == weekday and (day.day in numbers or day.day - len(days) - 1 in numbers)
        ]
        assert found == [weekend[place - 1 if place > 0 else place]]
