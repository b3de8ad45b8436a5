"""launcher/batch_step.py with an engine of the test: when it is handed a step, and when it is looked at."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from launcher import batch_step, engines
from launcher.batch_step import BatchStep, Watch
from launcher.confirmation import Confirmation, now
from launcher.engines.interface import ENDED, RUNNING, EngineError, NotYetError, State, Task, UnreachableError
from launcher.step import BATCH, StepResult, StepRun


class Engine:
    """It tells by itself when a step has ended. Errors that it is given are raised first."""

    OUTLIVES_LAUNCHER = False
    LOOK_SECONDS = None

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.submitted = self.looks = 0
        self.told: list[bool] = []
        self.state = State(RUNNING)

    async def submit(self, task: Task) -> str:  # noqa: ARG002
        self.submitted += 1
        if self.errors:
            raise self.errors.pop(0)
        return "job"

    async def look(self, tasks: Sequence[Task]) -> Mapping[str, State]:
        self.looks += 1
        if self.submitted and self.errors:
            raise self.errors.pop(0)
        return {task.name: State(ENDED) if task.cancelled else self.state for task in tasks}

    async def cancel(self, task: Task, kill: bool) -> None:  # noqa: ARG002
        self.told.append(kill)

    async def output(self, task: Task) -> str:
        return task.text()

    def end(self, step: BatchStep, code: int) -> None:
        """Let the step end."""
        self.state = State(ENDED, code=code)
        step.task.changed()


async def begin(
    engine: Engine, confirmation: Confirmation | None = None
) -> tuple[BatchStep, asyncio.Task[StepResult | None]]:
    """Return a step that is being executed."""
    if confirmation is None:
        confirmation = Confirmation(lambda: None)
        confirmation.confirm(now())

    async def note(jslid: int, job: str) -> bool:
        raise AssertionError(f"{job} of {jslid} is not to be written down")

    run = StepRun(1, 2, 3, 4, "job", "step", BATCH, "true", "", "")
    step = BatchStep(Task(run, "name", {}, {}, Path(), 100), Watch(engine), confirmation, note)
    execution = asyncio.create_task(step.execute())
    await rest()
    return step, execution


async def rest() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()


def test_an_engine_that_tells_is_looked_at_when_it_tells() -> None:
    async def scenario() -> None:
        engine = Engine()
        step, execution = await begin(engine)
        assert (step.begun, engine.looks) == (True, 1)
        step.task.stdout.write(b"out\n")
        step.task.stderr.write(b"err\n")
        assert step.output_size() == 8
        assert step.output_so_far() == "out\nStandard error:\nerr\n"
        step.task.changed()
        await rest()
        assert engine.looks == 2
        engine.end(step, 3)
        result = await execution
        assert result is not None
        assert (result.jslstatus, result.jslresult, result.error) == ("f", 3, "err")
        assert (engine.looks, engine.submitted) == (3, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [UnreachableError("away"), OSError(24, "no room"), MemoryError()])
def test_a_look_that_fails_is_tried_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_step, "SUBMIT_PAUSE_SECONDS", 0.0)

    async def scenario() -> None:
        engine = Engine()
        step, execution = await begin(engine)
        engine.errors.append(error)
        engine.end(step, 0)
        result = await execution
        assert result is not None
        assert (result.jslstatus, engine.looks) == ("s", 3)

    asyncio.run(scenario())


def test_a_step_that_can_not_begin_yet_waits_and_may_be_cancelled() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        first, second = loop.create_future(), loop.create_future()
        engine = Engine(NotYetError(first), NotYetError(second))
        step, execution = await begin(engine)
        assert (step.begun, engine.submitted) == (False, 1)
        first.set_result(None)
        await rest()
        assert (step.begun, engine.submitted, engine.looks) == (False, 2, 0)
        step.cancel("Never mind.")
        result = await execution
        assert result is not None
        assert (result.jslstatus, result.jsloutput, engine.submitted) == ("d", "Never mind.\n", 2)
        assert not second.cancelled()
        step.cancel("Too late.", kill=True)
        assert engine.told == []

    asyncio.run(scenario())


def test_no_step_begins_without_a_fresh_confirmation() -> None:
    """Neither the first time, nor when it is tried again."""

    async def scenario() -> None:
        room = asyncio.get_running_loop().create_future()
        engine, confirmation = Engine(NotYetError(room)), Confirmation(lambda: None)
        step, execution = await begin(engine, confirmation)
        assert (engine.submitted, confirmation.is_wanted) == (0, True)
        confirmation.confirm(now())
        await rest()
        confirmation.lapse()
        room.set_result(None)
        await rest()
        assert (engine.submitted, confirmation.is_wanted) == (1, True)
        step.cancel("Never mind.")
        await execution
        assert (engine.submitted, confirmation.is_wanted) == (1, False)

    asyncio.run(scenario())


def test_a_refusal_ends_the_step() -> None:
    async def scenario() -> None:
        _, execution = await begin(Engine(EngineError("no such host")))
        result = await execution
        assert result is not None
        assert (result.jslstatus, result.jsloutput) == ("f", "Not executed: no such host\n")

    asyncio.run(scenario())


def test_no_other_package_takes_the_name_of_an_engine_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = EntryPoint("slurm", "launcher.engines.slurm", engines.GROUP)
    theirs = EntryPoint("slurm", "json", engines.GROUP), EntryPoint("nomad", "json", engines.GROUP)
    monkeypatch.setattr("launcher.engines.entry_points", lambda group: [ours, *theirs])  # noqa: ARG005

    assert {name: str(engine).split("'")[1] for name, engine in engines.engines.__wrapped__().items()} == {
        "slurm": "launcher.engines.slurm",
        "nomad": "json",
    }
