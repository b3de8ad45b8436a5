"""Which multiples of an interval meet which minutes of the week, compared with trying them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plpython.rules.every import WEEK, find_windows, next_multiple

MINUTES = st.one_of(
    st.sets(st.integers(0, 10_079), max_size=5),
    st.builds(
        lambda times, days: {1_440 * day + minute for day in days for minute in times},
        st.sets(st.integers(0, 1_439), max_size=40),
        st.sets(st.integers(0, 6)),
    ),
    st.builds(lambda first, step: set(range(first, 10_080, step)), st.integers(0, 59), st.integers(1, 60)),
)
INTERVALS = st.one_of(
    st.integers(1, 2 * WEEK),
    st.integers(1, 20_160).map(lambda minutes: 60 * minutes),
    st.integers(1, 800).map(lambda days: 86_400 * days),
    st.sampled_from([86_401, 86_460, 90, WEEK - 1, WEEK // 2]),
)


def seconds_of_week(every: int, position: int) -> Iterator[int]:
    """Yield where in the week the interval falls, until that repeats itself."""
    yield position
    now = (position + every) % WEEK
    while now != position:
        yield now
        now = (now + every) % WEEK


@given(MINUTES, INTERVALS, st.integers(0, WEEK - 1))
def test_no_minute_is_missed(minutes: set[int], every: int, position: int) -> None:
    """None only if none of them is ever met; else no later than the first that is."""
    windows = find_windows(sum(1 << minute for minute in minutes), every, position)
    ahead = next_multiple(windows, every, position)
    tried = list(islice(seconds_of_week(every, position), 30_000))
    first = next((k for k, second in enumerate(tried) if second // 60 in minutes), None)
    if ahead is None:
        assert first is None
    elif first is not None:
        assert ahead <= first


@given(st.sets(st.integers(0, 1_439), min_size=1, max_size=20), INTERVALS, st.integers(0, WEEK - 1))
def test_times_that_are_the_same_every_day_are_found_at_once(
    times: set[int], every: int, position: int
) -> None:
    minutes = sum(1 << 1_440 * day + time for day in range(7) for time in times)
    ahead = next_multiple(find_windows(minutes, every, position), every, position)
    tried = list(islice(seconds_of_week(every, position), 100_000))
    first = next((k for k, second in enumerate(tried) if second % 86_400 // 60 in times), None)
    assert ahead == first or (first is None and ahead is not None and ahead >= len(tried))


@pytest.mark.parametrize(
    ("minutes", "every", "position"),
    [
        pytest.param({60 * 3}, 86_400, 12 * 3_600, id="a day, another time"),
        pytest.param({1_440 * 2 + m for m in range(1_440)}, WEEK, 86_400, id="a week, another weekday"),
        pytest.param(set(range(1, 10_080, 2)), 120, 0, id="even and odd minutes"),
    ],
)
def test_what_is_never_met_is_known(minutes: set[int], every: int, position: int) -> None:
    windows = find_windows(sum(1 << minute for minute in minutes), every, position)
    assert next_multiple(windows, every, position) is None
