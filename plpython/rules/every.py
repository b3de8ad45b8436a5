"""Which multiples of an interval fall into given minutes of the week: arithmetic on residues, without walking over them.

Elapsed time and a clock of constant offset keep in step. So where in the week an interval can fire depends only on where it
started and on its common divisor with a week. All times are whole seconds, counted from the begin of a week.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import gcd, lcm
from typing import NamedTuple

__all__ = ["Windows", "find_windows", "next_multiple"]

WEEK = 604_800
HOUR, DAY = 60, 1440  # minutes
ALL_HOUR, ALL_DAY = (1 << HOUR) - 1, (1 << DAY) - 1
# How many spans are looked at: each takes a microsecond.
MOST_SPANS = 30


class Windows(NamedTuple):
    """Spans of each hour, day or week, which *period* says in seconds: (first second, last second) of each."""

    period: int
    spans: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def find_windows(minutes: int, every: int, residue: int) -> tuple[Windows, ...]:
    """Return windows outside which no residue + k * every falls into one of *minutes*, a mask; without spans for never.

    Windows of the day are exact for many times of day. If the days differ, windows of the week keep them apart.
    """
    step = gcd(every, WEEK)
    week = minutes & _reachable(step, residue % step)
    day = 0
    for number in range(7):
        day |= week >> DAY * number & ALL_DAY
    hourly = _repeat(day & ALL_HOUR, HOUR, DAY) == day
    times = _windows(day & ALL_HOUR, HOUR) if hourly else _windows(day, DAY)
    return (times,) if _repeat(day, DAY, 7 * DAY) == week else (times, _windows(week, 7 * DAY))


def _windows(left: int, period: int) -> Windows:
    """Return the minutes of *left*, a mask of *period* minutes, as few spans, which may hold more."""
    ends = left & ~(left >> 1)
    width = 1
    while bin(ends).count("1") > MOST_SPANS:
        left |= left >> width
        width *= 2
        ends = left & ~(left >> 1)
    starts = left & ~(left << 1)
    spans = zip(_bits(starts), _bits(ends))
    return Windows(60 * period, tuple((60 * first, 60 * last + 59) for first, last in spans))


@lru_cache(maxsize=1024)
def _reachable(step: int, residue: int) -> int:
    """Return the mask of the minutes of the week that hold residue + k * step for some k; *step* divides a week."""
    period = lcm(step, 60)
    pattern = sum({1 << second // 60 for second in range(residue, period, step)})
    return _repeat(pattern, period // 60, 7 * DAY)


def _repeat(pattern: int, period: int, length: int) -> int:
    """Return the mask of *length* minutes that has *pattern* in each *period* of them."""
    return pattern * (((1 << length) - 1) // ((1 << period) - 1))


def _bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, in order."""
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def next_multiple(windows: tuple[Windows, ...], every: int, position: int) -> int | None:
    """Return a k, 0 or more, before which no position + k * every of the week falls into all of *windows*; None for never."""
    multiples = [_next_in(spans, every % period, position, period) for period, spans in windows]
    known = [k for k in multiples if k is not None]
    return max(known) if len(known) == len(multiples) else None


def _next_in(spans: tuple[tuple[int, int], ...], every: int, position: int, period: int) -> int | None:
    """Return the smallest k for which position + k * every falls into one of *spans* of each *period*, or None."""
    found = None
    for first, last in spans:
        low = (first - position) % period
        high = low + last - first
        k = 0 if high >= period else _first_between(every, period, low, high)
        if k is not None and (found is None or k < found):
            found = k
    return found


def _first_between(factor: int, modulus: int, low: int, high: int) -> int | None:
    """Return the smallest k for which low <= factor * k % modulus <= high, or None; 0 <= low <= high < modulus.

    As in Euclid's algorithm: if no multiple of *factor* lies between the two, some multiple of *modulus* brings the first one
    there, and which one is the same question with smaller numbers.
    """
    if low == 0:
        return 0
    if factor == 0:
        return None
    k = -(-low // factor)
    if factor * k <= high:
        return k
    rounds = _first_between(modulus % factor, factor, -high % factor, -low % factor)
    return None if rounds is None else -(-(low + modulus * rounds) // factor)
