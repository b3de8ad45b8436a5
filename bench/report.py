"""The table of figures, printed row by row as they come."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to be: at most or at least *limit*."""

    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Return whether *value* is as good as that."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {number(self.limit)}"


def number(value: float) -> str:
    """Return *value* with three significant digits, whole from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which *share* (0 to 1) of *values* lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def spread(values: list[float]) -> str:
    """Return the smallest and the largest of *values*, if there are several."""
    return f"{number(min(values))}-{number(max(values))}" if len(values) > 1 else ""


class Report:
    """The table: one line per figure, with its target and whether it was met, if it has one."""

    def __init__(self) -> None:
        """Start without rows."""
        self._met: list[bool] = []

    def heading(self, text: str) -> None:
        """Begin a part of the table."""
        self._print(f"\n{text}\n")
        self._print(f"{'what':58} {'figure':>10} {'unit':10} {'range':>17}  target")

    def add(self, what: str, values: list[float] | float, unit: str, target: Target | None = None) -> float:
        """Add the median of *values*; return it."""
        several = values if isinstance(values, list) else [values]
        value = statistics.median(several)
        verdict = ""
        if target is not None:
            self._met.append(target.met(value))
            verdict = f"{target}  {'yes' if self._met[-1] else 'NO'}"
        self._print(f"{what:58} {number(value):>10} {unit:10} {spread(several):>17}  {verdict}".rstrip())
        return value

    def note(self, text: str) -> None:
        """Say something beside the figures."""
        self._print(f"  {text}")

    def end(self) -> None:
        """Say how many targets were met."""
        self._print(f"\n{sum(self._met)} of {len(self._met)} targets met")

    def _print(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
