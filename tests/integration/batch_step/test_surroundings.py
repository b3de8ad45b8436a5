"""What a script finds: its environment, descriptors, signals, session, its own file."""

import asyncio
import json
import os
import re
import resource
import signal
from pathlib import Path

import psutil
import pytest

from launcher.processes import Processes
from launcher.step import StepResult
from tests.helpers import wait_for
from tests.helpers.batch_steps import PYTHON, execute, local_step, step_run, with_steps
from tests.helpers.steps import until


def test_ids_names_and_parameters_are_in_the_environment() -> None:
    code = "#!/usr/bin/env python3\nimport json, os; print(json.dumps(dict(os.environ)))"
    plain = json.loads(execute(code).jsloutput)
    given = json.loads(execute(code, jobparameters='{"a": "it\'s"}', due="d", previous_due="p").jsloutput)
    ours = {name: value for name, value in given.items() if name.startswith("PGAGENT_")}
    script = Path(ours.pop("PGAGENT_STEP_SCRIPT"))
    assert ours == {
        "PGAGENT_JOB_ID": "11",
        "PGAGENT_RUN_ID": "12",
        "PGAGENT_STEP_ID": "13",
        "PGAGENT_JOB_NAME": "job 'n' \u00fc",
        "PGAGENT_STEP_NAME": "$(step)",
        "PGAGENT_PARAMETERS": '{"a": "it\'s"}',
        "PGAGENT_DUE": "d",
        "PGAGENT_PREVIOUS_DUE": "p",
    }
    assert not {"PGAGENT_PARAMETERS", "PGAGENT_DUE", "PGAGENT_PREVIOUS_DUE"} & plain.keys()
    assert plain["PATH"] == os.environ["PATH"]
    assert not script.exists()


def test_what_is_the_launchers_own_stays_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "PGAGENT_PY_SECRETS", "PGPASSWORD"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in execute("env").jsloutput


def test_stdin_is_empty() -> None:
    assert execute("cat; read x || echo end").jsloutput == "end\n"


def test_no_descriptor_is_inherited() -> None:
    ours = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(ours, True)
    try:
        code = PYTHON + "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
        result = execute(code)
    finally:
        os.close(ours)
    assert result.jsloutput == "[0, 1, 2, 3]\n"  # 3 is the directory being listed


def test_signals_are_as_after_login() -> None:
    blocked = {signal.SIGTERM, signal.SIGUSR1}
    ignored = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        result = execute("#!/bin/grep Sig...:\n", limit=10_000)
        result = execute("#!/bin/sh\nexec grep -E 'Sig(Blk|Ign)' /proc/self/status")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        for number, handler in ignored.items():
            signal.signal(number, handler)
    masks = {name: int(mask, 16) for name, mask in re.findall(r"(Sig...):\s+(\w+)", result.jsloutput)}
    assert masks["SigBlk"] == 0
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGUSR1):
        assert not masks["SigIgn"] >> (number - 1) & 1


def test_the_script_leads_a_session_of_its_own() -> None:
    code = PYTHON + "import os; print(os.getsid(0) == os.getpgrp() == os.getpid())"
    assert execute(code).jsloutput == "True\n"


def test_the_script_is_a_private_file(directory: Path) -> None:
    async def scenario(steps: Processes) -> list[str]:
        code = 'stat -c %a "$0" "$(dirname "$0")"; echo "$0"'
        return [(await local_step(step_run(code), steps).execute()).jsloutput for _ in range(2)]

    first, second = (output.split() for output in with_steps(scenario))
    assert first[:2] == ["700", "700"]
    assert Path(first[2]).parent.parent == directory
    assert first[2] != second[2]
    assert len(Path(first[2]).name) >= 16


def test_the_private_directory_is_made_again_if_someone_tidied_up() -> None:
    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        first = await local_step(step_run("rm -r $(dirname $0)"), steps).execute()
        return first, await local_step(step_run("stat -c %a $(dirname $0)"), steps).execute()

    first, second = with_steps(scenario)
    assert first.jslstatus == "s"
    assert (second.jslstatus, second.jsloutput) == ("s", "700\n")


def test_a_script_that_shuts_the_private_directory_hurts_neither_itself_nor_others() -> None:
    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        first = await local_step(step_run("chmod 0 $(dirname $0); echo shut"), steps).execute()
        return first, await local_step(step_run("stat -c %a $(dirname $0)"), steps).execute()

    first, second = with_steps(scenario)
    assert (first.jslstatus, first.jslresult, first.jsloutput) == ("s", 0, "shut\n")
    assert (second.jslstatus, second.jsloutput) == ("s", "700\n")


def test_parameters_too_long_for_the_environment_fail_the_step() -> None:
    result = execute("echo a", jobparameters=json.dumps("x" * 200_000))
    assert (result.jslstatus, result.jslresult) == ("f", 126)
    assert result.jsloutput == "The job's parameters or names are too long for the script's environment.\n"


def test_a_step_waits_and_says_so_when_no_descriptor_is_left() -> None:
    async def scenario(steps: Processes) -> StepResult:
        await local_step(step_run("true"), steps).execute()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        held = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
        step = local_step(step_run("echo a"), steps)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 2, limits[1]))
        try:
            waiting = asyncio.create_task(step.execute())
            await until(lambda: bool(step.output_so_far()))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for descriptor in held:
                os.close(descriptor)
        result = await waiting
        assert len(os.listdir("/proc/self/fd")) <= used  # noqa: PTH208
        return result

    result = with_steps(scenario)
    assert (result.jslstatus, result.jsloutput) == ("s", "Waiting to start: Too many open files.\na\n")


def test_nothing_is_left_over_after_many_steps() -> None:
    async def scenario(steps: Processes) -> None:
        await local_step(step_run("true"), steps).execute()
        used = os.listdir("/proc/self/fd")  # noqa: PTH208
        codes = ["exit 1", "#!/no/such\n", "echo a", "kill -9 $$", "sleep 0.02 &"]
        await asyncio.gather(*(local_step(step_run(code), steps).execute() for code in codes * 10))
        assert len(os.listdir("/proc/self/fd")) <= len(used)  # noqa: PTH208

    with_steps(scenario)
    wait_for(lambda: not psutil.Process().children(), what="the guard's end")
