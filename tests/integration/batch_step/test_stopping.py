"""Batch steps whose processes stay, are cancelled, or run out of time."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from launcher import batch_step
from launcher.engines import local
from launcher.processes import Processes
from launcher.step import StepResult
from tests.helpers import PATIENCE, wait_for
from tests.helpers.batch_steps import execute, local_step, processes, step_run, with_steps
from tests.helpers.steps import until


def test_a_background_child_that_keeps_the_pipe_open_is_not_waited_for(long: str) -> None:
    result = execute(f"sleep {long} & echo done")
    assert (result.jslstatus, result.jsloutput) == ("s", "done\n")
    assert result.jslduration < float(long)
    wait_for(lambda: processes(long), what="the child's exec")


def test_a_background_child_that_goes_on_writing_is_not_waited_for() -> None:
    result = execute("yes & sleep 0.1; echo done >&2", limit=10_000)
    assert result.jslstatus == "s"
    assert result.jsloutput.startswith("y\ny\n")
    assert result.jsloutput.endswith("Standard error:\ndone\n")


def test_a_script_that_forks_away_ends_with_its_first_process(long: str) -> None:
    result = execute(f"setsid sleep {long} > /dev/null 2>&1 & echo away")
    assert (result.jslstatus, result.jsloutput) == ("s", "away\n")
    assert result.jslduration < float(long)
    # also after the launcher's end: the step had ended before
    wait_for(lambda: processes(long), what="the child's exec")


def stop_while_running(code: str, again: bool = False, **stop: Any) -> StepResult:
    """Cancel a script once it has written "ready"."""

    async def scenario(steps: Processes) -> StepResult:
        step = local_step(step_run(code), steps)
        task = asyncio.create_task(step.execute())
        await until(lambda: "ready" in step.output_so_far())
        step.cancel("Stopped by the test.", **stop)
        step.cancel("Stopped again.", "f", kill=again)
        result = await task
        step.cancel("Too late.")
        return result

    return with_steps(scenario)


@pytest.mark.usefixtures("patient")
def test_cancel_sends_term_to_all_processes_of_the_step(long: str) -> None:
    # `timeout` makes a process group of its own
    result = stop_while_running(f"timeout {long} sleep {long} & sleep {long} & echo ready; sleep {long}")
    assert (result.jslstatus, result.jslresult) == ("d", 143)
    assert result.jsloutput == "ready\nThe script was killed by signal 15 (SIGTERM).\nStopped by the test.\n"
    assert not processes(long)


# Processes that have left the script's session and cleared their environment; some also ignore SIGTERM.
RUNAWAYS = [
    "(env -i setsid sleep {0} > /dev/null 2>&1 &)",
    "(env -i setsid sh -c \"trap '' TERM; sleep {0} & sleep {0}\" > /dev/null 2>&1 &)",
    "env -i setsid setsid env -i sh -c 'cd /; exec sleep {0} <&- >&- 2>&-' &",
]


@pytest.mark.parametrize("runaway", RUNAWAYS)
@pytest.mark.usefixtures("impatient")
def test_what_has_left_session_and_environment_ends_with_a_cancelled_script(
    long: str, runaway: str, directory: Path
) -> None:
    run = runaway.replace("{0}", long)
    waiting = (
        f"while [ ! -e {directory}/go ]; do sleep 0.01; done; rm {directory}/go; echo ready; sleep 100000"
    )

    async def scenario(steps: Processes) -> StepResult:
        step = local_step(step_run(f"{run}\n{waiting}"), steps)
        task = asyncio.create_task(step.execute())
        await until(lambda: bool(processes(long)))
        (directory / "go").touch()
        await until(lambda: "ready" in step.output_so_far())
        step.cancel("Stopped by the test.")
        return await task

    assert with_steps(scenario).jslstatus == "d"
    assert not processes(long)


def test_what_a_script_leaves_running_outlives_others_that_are_cancelled(long: str) -> None:
    assert execute(f"(env -i setsid sleep {long} > /dev/null 2>&1 &)").jslstatus == "s"
    assert stop_while_running("echo ready; sleep 100000").jslstatus == "d"
    wait_for(lambda: processes(long), what="the child's exec")


@pytest.mark.usefixtures("patient")
def test_a_cancelled_script_may_tidy_up() -> None:
    result = stop_while_running(
        "trap 'sleep 0.2; echo tidy; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
    )
    assert (result.jslstatus, result.jslresult) == ("d", 7)
    assert result.jsloutput.startswith("ready\ntidy\n")
    assert result.jsloutput.endswith("\nStopped by the test.\n")


@pytest.mark.usefixtures("patient")
def test_children_of_a_cancelled_script_may_tidy_up_too(directory: Path) -> None:
    proof = directory / "proof"
    child = f"trap 'sleep 0.3; echo done > {proof}; exit' TERM; echo ready; while :; do sleep 0.01; done"
    stop_while_running(f'sh -c "{child}" & wait')
    assert proof.read_text() == "done\n"
    proof.unlink()


STUBBORN = "trap '' TERM; sleep {0} & echo ready; while :; do sleep 0.01; done"


@pytest.mark.usefixtures("impatient")
def test_what_ignores_term_is_killed(long: str) -> None:
    result = stop_while_running(STUBBORN.replace("{0}", long))
    assert (result.jslstatus, result.jslresult) == ("d", 137)
    assert 0.3 <= result.jslduration < float(long)
    assert not processes(long)


@pytest.mark.parametrize("again", [False, True])
def test_a_kill_does_not_wait_for_the_script_to_tidy_up(
    again: bool, long: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_step, "KILL_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr(local, "GIVE_UP_SECONDS", PATIENCE)
    result = stop_while_running(STUBBORN.replace("{0}", long), again=again, kill=not again)
    assert (result.jslstatus, result.jslresult) == ("d", 137)
    assert result.jsloutput.endswith("Stopped by the test.\n")
    assert not processes(long)


@pytest.mark.usefixtures("impatient")
def test_a_stubborn_background_child_of_a_cancelled_script_is_killed(long: str) -> None:
    code = (
        f"sh -c \"trap '' TERM; while :; do sleep 0.01; : {long}; done\" x {long} & echo ready; sleep {long}"
    )
    result = stop_while_running(code)
    assert (result.jslstatus, result.jslresult) == ("d", 143)
    assert not processes(long)


@pytest.mark.usefixtures("patient")
def test_a_script_is_stopped_after_its_timeout(long: str) -> None:
    result = execute(f"echo a; sleep {long}", jsttimeout=0.25)
    assert (result.jslstatus, result.jslresult) == ("f", 143)
    assert result.jsloutput.endswith("The step was stopped after its timeout of 0.25 s.\n")
    assert 0.25 <= result.jslduration < float(long)
    assert not processes(long)


def test_a_script_cancelled_before_it_starts_is_not_executed() -> None:
    async def scenario(steps: Processes) -> StepResult:
        step = local_step(step_run("echo a"), steps)
        step.cancel("Never mind.")
        return await step.execute()

    result = with_steps(scenario)
    assert (result.jslstatus, result.jsloutput) == ("d", "Never mind.\n")


def test_an_interpreter_that_can_not_be_read_holds_up_nobody_else(directory: Path) -> None:
    # Opening a FIFO waits for a writer, as a network file system waits for its server.
    hanging = directory / "interpreter"
    os.mkfifo(hanging, 0o700)

    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        stuck = local_step(step_run(f"#!{hanging}\n"), steps)
        task = asyncio.create_task(stuck.execute())
        other = await local_step(step_run("#!/bin/bash\necho a"), steps).execute()
        assert not task.done()
        stuck.cancel("Stopped by the test.")
        return await task, other

    stuck, other = with_steps(scenario)
    hanging.write_bytes(b"x")  # lets the reader end
    hanging.unlink()
    assert (stuck.jslstatus, stuck.jsloutput) == ("d", "Stopped by the test.\n")
    assert (other.jslstatus, other.jsloutput) == ("s", "a\n")


def test_a_step_whose_task_is_cancelled_leaves_no_process(long: str) -> None:
    async def scenario(steps: Processes) -> None:
        task = asyncio.create_task(local_step(step_run(f"sleep {long}"), steps).execute())
        await until(lambda: processes(long))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not processes(long))

    with_steps(scenario)


def test_closing_kills_what_still_runs(long: str) -> None:
    async def scenario(steps: Processes) -> StepResult:
        task = asyncio.create_task(local_step(step_run(f"sleep {long}"), steps).execute())
        await until(lambda: processes(long))
        await steps.close()
        return await task

    assert with_steps(scenario).jslresult == 137
    wait_for(lambda: not processes(long), what="the script's end")
