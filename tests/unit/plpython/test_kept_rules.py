"""The rules that a session keeps are bound by bytes, and those that go are forgotten wholly."""

from collections.abc import Iterator

import pytest

from plpython.rules import kept_rules, wall_minutes
from plpython.rules.kept_rules import Kept, is_read, keep, kept, note_read
from plpython.rules.schedule import compile_schedule
from plpython.rules.zones import Zone

NEVER = float("inf")


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    """Begin and end with nothing kept."""
    yield
    kept_rules._rules.clear()
    kept_rules._jobs.clear()
    kept_rules._bytes = 0


def entry(job: int, days: int = 0) -> Kept:
    """Return a rule that fires only on so many days."""
    schedule = compile_schedule("{}", "{}", "{}", "{}", "{}", None, None, "UTC", only_days=tuple(range(days)))
    return Kept(job, "version", (schedule, Zone("UTC", lambda *_: [])), NEVER, NEVER, None)


def test_the_oldest_rules_go_when_all_together_take_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rules, "MOST_BYTES", 10 * kept_rules.RULE_BYTES)
    for number in range(25):
        note_read(number)
        keep(number, entry(number))
    assert [number for number in range(25) if kept(number, "version")] == list(range(15, 25))
    assert [number for number in range(25) if is_read(number)] == list(range(15, 25))
    keep(20, entry(20))
    assert kept(15, "version")
    assert not kept(20, "another version")


def test_a_rule_with_many_days_counts_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rules, "MOST_BYTES", 10 * kept_rules.RULE_BYTES)
    for number in range(10):
        keep(number, entry(number))
    keep(10, entry(10, days=30))
    assert [number for number in range(11) if kept(number, "version")] != []
    assert len(kept_rules._rules) < 10
    assert kept_rules._bytes <= kept_rules.MOST_BYTES


def test_of_what_was_compiled_with_many_days_little_is_kept() -> None:
    for number in range(100):
        entry(number, days=wall_minutes.MANY_DAYS + number)
        entry(number, days=number)
    assert wall_minutes._with_many_days.cache_info().currsize == wall_minutes.KEPT_WITH_MANY_DAYS
    assert wall_minutes._with_few_days.cache_info().currsize >= 100
