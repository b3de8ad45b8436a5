"""launcher/workers.py: who begins when, and what is handed back."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from launcher import workers
from launcher.step import StepResult, StepRun
from launcher.workers import Workers


def in_a_loop(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Return the test as one that runs in an event loop."""

    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


def step(run: int) -> StepRun:
    return StepRun(1, run, 1, run, "job", "step", "s", "", "", "", ahead=True)


def ended(seconds: float) -> StepResult:
    return StepResult(1, 1, "s", 0, "", seconds)


@in_a_loop
async def test_steps_wait_for_a_worker_and_begin_in_their_order() -> None:
    all_ = Workers(2)
    all_.began()
    first, second, third = (all_.wait(step(number)) for number in range(3))
    assert first.turn.result()  # there was a worker
    assert not second.turn.done()
    all_.ended()
    assert second.turn.result()
    assert not third.turn.done()
    all_.ended()
    assert third.turn.result()
    assert all_.seconds() is None


@in_a_loop
async def test_none_begins_while_more_run_than_there_are_workers() -> None:
    all_ = Workers(1)
    all_.began()
    all_.began()  # of an owner with nothing running
    waiting = all_.wait(step(1))
    all_.ended()
    assert not waiting.turn.done()
    all_.ended()
    assert waiting.turn.result()


@in_a_loop
async def test_a_cancelled_one_needs_no_worker_and_takes_none_from_others() -> None:
    all_ = Workers(1)
    all_.began()
    cancelled, next_ = all_.wait(step(1)), all_.wait(step(2))
    cancelled.begin()
    assert cancelled.turn.result()
    all_.ended()  # the cancelled one
    assert not next_.turn.done()
    all_.ended()
    assert next_.turn.result()


@in_a_loop
async def test_what_has_waited_too_long_is_handed_back_or_waits_on() -> None:
    all_ = Workers(1)
    all_.began()
    steps = [all_.wait(step(number)) for number in range(3)]
    assert all_.take_late(all_=False) == []
    assert 0 < (all_.seconds() or 0) <= workers.LONGEST_WAIT_SECONDS
    for waiting in steps[:2]:
        waiting.since -= workers.LONGEST_WAIT_SECONDS
    late = all_.take_late(all_=False)
    assert late == steps[:2]
    all_.ended()  # they do not begin while the server is asked; the next one does
    assert [waiting.turn.done() for waiting in steps] == [False, False, True]
    all_.return_late(late, {steps[0].run.jlgid})
    assert steps[0].turn.result() is False
    assert not steps[1].turn.done()
    assert all_.take_late(all_=False) == []
    assert all_.take_late(all_=True) == [steps[1]]
    all_.return_late([steps[1]], set())
    all_.ended()
    assert steps[1].turn.result()


@in_a_loop
async def test_one_that_is_cancelled_while_the_server_is_asked_ends_at_once() -> None:
    all_ = Workers(1)
    all_.began()
    waiting = all_.wait(step(1))
    late = all_.take_late(all_=True)
    waiting.begin()
    all_.return_late(late, {1})
    assert waiting.turn.result()


@pytest.mark.parametrize(
    ("durations", "ahead"),
    [([], 0), ([0.001], 2), ([0.001, 1.0], 2), ([1.0] * 4, 0), ([0.001] * 4, 8), ([0.001] * 9, 8)],
)
def test_as_many_may_come_ahead_as_short_steps_let_expect_but_no_more_than_workers(
    durations: list[float], ahead: int
) -> None:
    assert Workers(8).ahead([ended(seconds) for seconds in durations]) == ahead


@in_a_loop
async def test_those_that_wait_count() -> None:
    all_ = Workers(4)
    for _ in range(4):
        all_.began()
    for number in range(3):
        all_.wait(step(number))
    assert all_.ahead([ended(0.001)] * 4) == 1
