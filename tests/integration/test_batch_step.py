"""launcher/batch_step.py, processes.py and guard_process.py with real scripts, real processes, real signals."""

import asyncio
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from launcher import batch_step, guard_process
from launcher.batch_step import BatchStep
from launcher.processes import Processes
from launcher.step import StepResult, StepRun
from tests.helpers import PATIENCE, wait_for

T = TypeVar("T")
TOP = Path(__file__).resolve().parents[2]
PYTHON = f"#!{sys.executable} -S\n"


@pytest.fixture(autouse=True)
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the directory for temporary files, this test's own; it must be empty again at the end."""
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)
        for launcher in _launchers:  # also those of a test that failed
            launcher.kill()
            launcher.wait()
        _launchers.clear()
        wait_for(lambda: not guards(), what="the guards' end")
        wait_for(lambda: not list(Path(name).iterdir()), what="the end of the temporary files")


_launchers: list[subprocess.Popen[bytes]] = []


def step_run(code: str, **columns: Any) -> StepRun:
    """Return a row of step_run for a batch step."""
    run = StepRun(
        jobid=11,
        jlgid=12,
        jstid=13,
        jslid=14,
        jobname="job 'n' \u00fc",
        jstname="$(step)",
        jstkind="b",
        jstcode=code,
        jstdbname="",
        jstconnstr="",
    )
    return replace(run, **columns)


def with_steps(scenario: Callable[[Processes], Awaitable[T]]) -> T:
    """Run a scenario with what the batch steps of a launcher share."""

    async def main() -> T:
        steps = Processes()
        try:
            async with asyncio.timeout(5 * PATIENCE):
                return await scenario(steps)
        finally:
            await steps.close()

    return asyncio.run(main())


def execute(code: str, limit: int = 1_000_000, **columns: Any) -> StepResult:
    """Execute one script."""
    return with_steps(lambda steps: BatchStep(step_run(code, **columns), steps, limit).execute())


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition without holding up the steps."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


def processes(word: str) -> list[int]:
    """Return the live processes that have *word* as an argument."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if word in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def guards() -> list[int]:
    """Return the live guards of this test: other processes may be testing, too."""
    private = str(Path(tempfile.gettempdir()) / guard_process.DIRECTORY_PREFIX)
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if any(word.startswith(private) for word in process.info["cmdline"] or ())
        and guard_process.__file__ in process.info["cmdline"]
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


_numbers = iter(range(1, 1000))


@pytest.fixture
def long() -> Iterator[str]:
    """Return a number of seconds, as good as for ever, by which a test recognises its processes."""
    number = f"3600.{os.getpid()}{next(_numbers):03}"
    yield number
    for pid in processes(number):
        os.kill(pid, signal.SIGKILL)


# --- interpreters


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("echo a; echo $0", "a\n/"),
        ("#!/bin/sh\necho a", "a\n"),
        ("#!/bin/bash\nx=(a b); echo ${x[1]}", "b\n"),
        ("#! /bin/bash -e\nfalse\necho not here", ""),
        ("#!/usr/bin/env bash\nx=(a b); echo ${x[1]}", "b\n"),
        ("#!/usr/bin/python3\nprint('a')", "a\n"),
        (PYTHON + "import sys; print(sys.flags.no_site)", "1\n"),
        ("#!/bin/sh\r\necho a\r\necho b\r\n", "a\nb\n"),
        ("#!/usr/bin/python3\r\nif True:\r\n    print('a')\r\n", "a\n"),
        ("\ufeff#!/bin/bash\nx=(a b); echo ${x[1]}", "b\n"),
        ("#!\necho a", "a\n"),
        ("", ""),
        ("echo gr\u00fcn \U0001f600", "gr\u00fcn \U0001f600\n"),
    ],
)
def test_the_first_line_names_the_interpreter(code: str, output: str) -> None:
    result = execute(code)
    assert result.jsloutput.startswith(output), result
    assert result.jslstatus == ("f" if "false" in code else "s")


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (
            "#!/no/such/shell\n",
            127,
            "The interpreter /no/such/shell, named by the script's first line, does not exist.",
        ),
        ("#!/usr/bin/env no-such-shell\n", 127, "no-such-shell"),
        ("#!/etc/passwd\n", 126, "The interpreter /etc/passwd can't be started: Permission denied."),
        ("#!/tmp\n", 126, "The interpreter /tmp can't be started: Permission denied."),
        ("#!bash\n", 127, "The interpreter bash, "),
    ],
)
def test_a_missing_interpreter(code: str, status: int, words: str) -> None:
    result = execute(code)
    assert (result.jslstatus, result.jslresult) == ("f", status)
    assert words in result.jsloutput


# --- exit


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_codes(code: int) -> None:
    result = execute(f"exit {code}")
    assert (result.jlgid, result.jslid) == (12, 14)
    assert (result.jslstatus, result.jslresult) == ("s" if code == 0 else "f", code)
    assert result.jsloutput == ""


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "PIPE"])
def test_death_by_signal(name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    result = execute(f"echo a; kill -{name} $$")
    assert (result.jslstatus, result.jslresult) == ("f", 128 + number)
    assert result.jsloutput == f"a\nThe script was killed by signal {number} (SIG{name}).\n"


def test_duration_is_the_time_in_seconds() -> None:
    begin = time.monotonic()
    assert 0.3 <= execute("sleep 0.3").jslduration <= time.monotonic() - begin


# --- output


def test_stdout_and_stderr_are_kept_apart() -> None:
    result = execute("echo one; echo problem >&2; echo two")
    assert result.jsloutput == "one\ntwo\nStandard error:\nproblem\n"


def test_steps_at_the_same_time_have_their_own_output() -> None:
    async def scenario(steps: Processes) -> list[StepResult]:
        code = "for i in 1 2 3 4 5; do echo out{0}; echo err{0} >&2; sleep 0.02; done"
        runs = [step_run(code.replace("{0}", str(number))) for number in range(20)]
        return await asyncio.gather(*(BatchStep(run, steps).execute() for run in runs))

    for number, result in enumerate(with_steps(scenario)):
        assert result.jsloutput == f"out{number}\n" * 5 + "Standard error:\n" + f"err{number}\n" * 5


def test_tens_of_megabytes_are_cut_in_the_middle() -> None:
    code = PYTHON + "import sys\nfor i in range(2000000): print('line', i)\nprint('problem', file=sys.stderr)"
    before = psutil.Process().memory_info().rss
    result = execute(code, limit=100_000)
    assert psutil.Process().memory_info().rss - before < 8_000_000
    assert result.jslstatus == "s"
    assert result.jsloutput.startswith("line 0\nline 1\n")
    assert result.jsloutput.endswith("line 1999999\nStandard error:\nproblem\n")
    size = sum(len(f"line {i}\n") for i in range(2_000_000))
    cut = re.search(r"\n\[\.\.\. (\d+) bytes cut \.\.\.\]\n", result.jsloutput)
    assert cut
    kept = len(result.jsloutput) - len(cut[0]) - len("Standard error:\nproblem\n")
    assert int(cut[1]) == size - kept
    assert 99_000 < kept <= 100_000


def test_the_limit_holds_for_both_streams_together() -> None:
    result = execute(
        "head -c 500000 /dev/zero | tr '\\0' o; head -c 500000 /dev/zero | tr '\\0' e >&2", limit=100_000
    )
    assert result.jsloutput.count("o") - result.jsloutput.count("or") in range(49_990, 50_010)
    assert result.jsloutput.count("ee") in range(24_900, 25_001)
    assert len(result.jsloutput) < 100_200


def test_bytes_that_are_not_text() -> None:
    result = execute("printf 'a\\377b\\000c'")
    assert result.jsloutput == "a\ufffdb\ufffdc"


def test_output_is_shown_while_the_script_runs(directory: Path) -> None:
    go_on = directory / "go_on"

    async def scenario(steps: Processes) -> tuple[str, StepResult]:
        code = f"echo early; echo problem >&2; while [ ! -e {go_on} ]; do sleep 0.01; done; echo late"
        step = BatchStep(step_run(code), steps)
        task = asyncio.create_task(step.execute())
        await until(lambda: "problem" in step.output_so_far())
        shown = step.output_so_far()
        go_on.touch()
        return shown, await task

    shown, result = with_steps(scenario)
    go_on.unlink()
    assert shown == "early\nStandard error:\nproblem\n"
    assert result.jsloutput == "early\nlate\nStandard error:\nproblem\n"


# --- what a script finds


def test_environment() -> None:
    code = "#!/usr/bin/env python3\nimport json, os; print(json.dumps(dict(os.environ)))"
    plain = json.loads(execute(code).jsloutput)
    given = json.loads(execute(code, jobparameters='{"a": "it\'s"}').jsloutput)
    ours = {name: value for name, value in given.items() if name.startswith("PGAGENT_")}
    script = Path(ours.pop("PGAGENT_STEP_SCRIPT"))
    assert ours == {
        "PGAGENT_JOB_ID": "11",
        "PGAGENT_RUN_ID": "12",
        "PGAGENT_STEP_ID": "13",
        "PGAGENT_JOB_NAME": "job 'n' \u00fc",
        "PGAGENT_STEP_NAME": "$(step)",
        "PGAGENT_PARAMETERS": '{"a": "it\'s"}',
    }
    assert "PGAGENT_PARAMETERS" not in plain
    assert plain["PATH"] == os.environ["PATH"]
    assert not script.exists()


def test_what_is_the_launchers_own_stays_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "PGAGENT_PY_SECRETS"):
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
        return [(await BatchStep(step_run(code), steps).execute()).jsloutput for _ in range(2)]

    first, second = (output.split() for output in with_steps(scenario))
    assert first[:2] == ["700", "700"]
    assert Path(first[2]).parent.parent == directory
    assert first[2] != second[2]
    assert len(Path(first[2]).name) >= 16


def test_the_private_directory_is_made_again_if_someone_tidied_up() -> None:
    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        first = await BatchStep(step_run("rm -r $(dirname $0)"), steps).execute()
        return first, await BatchStep(step_run("stat -c %a $(dirname $0)"), steps).execute()

    first, second = with_steps(scenario)
    assert first.jslstatus == "s"
    assert (second.jslstatus, second.jsloutput) == ("s", "700\n")


def test_a_script_that_shuts_the_private_directory_hurts_neither_itself_nor_others() -> None:
    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        first = await BatchStep(step_run("chmod 0 $(dirname $0); echo shut"), steps).execute()
        return first, await BatchStep(step_run("stat -c %a $(dirname $0)"), steps).execute()

    first, second = with_steps(scenario)
    assert (first.jslstatus, first.jslresult, first.jsloutput) == ("s", 0, "shut\n")
    assert (second.jslstatus, second.jsloutput) == ("s", "700\n")


# --- processes that stay


def test_a_background_child_that_keeps_the_pipe_open_is_not_waited_for(long: str) -> None:
    result = execute(f"sleep {long} & echo done")
    assert (result.jslstatus, result.jsloutput) == ("s", "done\n")
    assert result.jslduration < float(long)
    assert processes(long)


def test_a_background_child_that_goes_on_writing_is_not_waited_for() -> None:
    result = execute("yes & sleep 0.1; echo done >&2", limit=10_000)
    assert result.jslstatus == "s"
    assert result.jsloutput.startswith("y\ny\n")
    assert result.jsloutput.endswith("Standard error:\ndone\n")


def test_a_script_that_forks_away_ends_with_its_first_process(long: str) -> None:
    result = execute(f"setsid sleep {long} > /dev/null 2>&1 & echo away")
    assert (result.jslstatus, result.jsloutput) == ("s", "away\n")
    assert result.jslduration < float(long)
    assert processes(long)  # also after the launcher's end: the step had ended before


# --- stopping


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps have as much time to stop as they need: what then ends, has not been killed."""
    monkeypatch.setattr(batch_step, "KILL_SECONDS", 10 * PATIENCE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps be killed soon, and wait for their processes' end as long as that takes."""
    monkeypatch.setattr(batch_step, "KILL_SECONDS", 0.3)
    monkeypatch.setattr(batch_step, "GIVE_UP_SECONDS", PATIENCE)


def stop_while_running(code: str, again: bool = False, **stop: Any) -> StepResult:
    """Cancel a script once it has written "ready"."""

    async def scenario(steps: Processes) -> StepResult:
        step = BatchStep(step_run(code), steps)
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
def test_kill_at_once(again: bool, long: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_step, "KILL_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr(batch_step, "GIVE_UP_SECONDS", PATIENCE)
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
def test_timeout(long: str) -> None:
    result = execute(f"echo a; sleep {long}", jsttimeout=0.25)
    assert (result.jslstatus, result.jslresult) == ("f", 143)
    assert result.jsloutput.endswith("The step was stopped after its timeout of 0.25 s.\n")
    assert 0.25 <= result.jslduration < float(long)
    assert not processes(long)


def test_cancel_before_the_start() -> None:
    async def scenario(steps: Processes) -> StepResult:
        step = BatchStep(step_run("echo a"), steps)
        step.cancel("Never mind.")
        return await step.execute()

    result = with_steps(scenario)
    assert (result.jslstatus, result.jsloutput) == ("d", "Never mind.\n")


def test_an_interpreter_that_can_not_be_read_holds_up_nobody_else(directory: Path) -> None:
    # Opening a FIFO waits for a writer, as a network file system waits for its server.
    hanging = directory / "interpreter"
    os.mkfifo(hanging, 0o700)

    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        stuck = BatchStep(step_run(f"#!{hanging}\n"), steps)
        task = asyncio.create_task(stuck.execute())
        other = await BatchStep(step_run("#!/bin/bash\necho a"), steps).execute()
        assert not task.done()
        stuck.cancel("Stopped by the test.")
        return await task, other

    stuck, other = with_steps(scenario)
    threading.Thread(target=hanging.write_bytes, args=(b"x",)).start()  # lets the reader end
    wait_for(lambda: threading.active_count() == 1, what="the end of the threads")
    hanging.unlink()
    assert (stuck.jslstatus, stuck.jsloutput) == ("d", "Stopped by the test.\n")
    assert (other.jslstatus, other.jsloutput) == ("s", "a\n")


def test_a_step_whose_task_is_cancelled_leaves_no_process(long: str) -> None:
    async def scenario(steps: Processes) -> None:
        task = asyncio.create_task(BatchStep(step_run(f"sleep {long}"), steps).execute())
        await until(lambda: processes(long))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not processes(long))

    with_steps(scenario)


def test_closing_kills_what_still_runs(long: str) -> None:
    async def scenario(steps: Processes) -> StepResult:
        task = asyncio.create_task(BatchStep(step_run(f"sleep {long}"), steps).execute())
        await until(lambda: processes(long))
        await steps.close()
        return await task

    assert with_steps(scenario).jslresult == 137
    wait_for(lambda: not processes(long), what="the script's end")


# --- what the system refuses


def test_parameters_too_long_for_the_environment() -> None:
    result = execute("echo a", jobparameters=json.dumps("x" * 200_000))
    assert (result.jslstatus, result.jslresult) == ("f", 126)
    assert result.jsloutput == "The job's parameters or names are too long for the script's environment.\n"


def test_no_descriptors_left() -> None:
    async def scenario(steps: Processes) -> tuple[StepResult, StepResult]:
        await BatchStep(step_run("true"), steps).execute()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        held = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 2, limits[1]))
        try:
            refused = await BatchStep(step_run("echo a"), steps).execute()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for descriptor in held:
                os.close(descriptor)
        assert len(os.listdir("/proc/self/fd")) == used  # noqa: PTH208
        return refused, await BatchStep(step_run("echo a"), steps).execute()

    refused, after = with_steps(scenario)
    assert refused.jslstatus == "f"
    assert "Too many open files" in refused.jsloutput
    assert after.jsloutput == "a\n"


def test_nothing_is_left_over_after_many_steps() -> None:
    async def scenario(steps: Processes) -> None:
        await BatchStep(step_run("true"), steps).execute()
        used = os.listdir("/proc/self/fd")  # noqa: PTH208
        codes = ["exit 1", "#!/no/such\n", "echo a", "kill -9 $$", "sleep 0.02 &"]
        await asyncio.gather(*(BatchStep(step_run(code), steps).execute() for code in codes * 10))
        assert len(os.listdir("/proc/self/fd")) == len(used)  # noqa: PTH208

    with_steps(scenario)
    wait_for(lambda: not psutil.Process().children(), what="the guard's end")


# --- the end of the launcher

DRIVER = """
import asyncio, json, sys
from launcher.batch_step import BatchStep
from launcher.processes import Processes
from launcher.step import StepRun

async def main():
    steps = Processes()
    runs = [StepRun(**run) for run in json.loads(sys.argv[1])]
    await asyncio.gather(*(BatchStep(run, steps).execute() for run in runs))

asyncio.run(main())
"""


def start_launcher(*codes: str) -> subprocess.Popen[bytes]:
    """Start a process that executes scripts as a launcher does."""
    runs = json.dumps([asdict(step_run(code)) for code in codes])
    launcher = subprocess.Popen([sys.executable, "-c", DRIVER, runs], cwd=TOP, start_new_session=True)
    _launchers.append(launcher)
    return launcher


def guard_of(launcher: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the guard of a launcher."""
    children = psutil.Process(launcher.pid).children()
    return next(child for child in children if guard_process.__file__ in child.cmdline())


def escapes(number: str) -> list[str]:
    """Return scripts that do what they can to have a process that outlives them."""
    return [
        f"sleep {number}",
        f"trap '' TERM HUP INT; sleep {number} & sleep {number}",
        f"timeout {number} sleep {number}",
        f"setsid sleep {number} & sleep {number}",
        f"exec env -i sleep {number}",
        f"env -i sleep {number} & sleep {number}",
        f"(sleep {number} &) ; sleep {number}",
        f"#!/bin/bash\nset -m; sleep {number} & nohup sleep {number}",
    ]


def test_scripts_die_with_a_launcher_that_is_killed(long: str, directory: Path) -> None:
    scripts = escapes(long)
    launcher = start_launcher(*scripts)
    expected = sum(script.count("sleep") for script in scripts)
    wait_for(lambda: len(processes(long)) >= expected + 1, what="all processes of all scripts")  # + timeout
    its_guard = guard_of(launcher)
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not processes(long), what="the end of the scripts")
    wait_for(lambda: not its_guard.is_running(), what="the end of the guard")
    assert list(directory.iterdir()) == []


def test_scripts_die_at_whatever_instant_the_launcher_is_killed(long: str, directory: Path) -> None:
    """When it has just made its private directory, and when it has started one of 30 scripts, two, three, ..."""
    for attempt in range(25):
        launcher = start_launcher(*[f"sleep {long}"] * 30)
        wait_for(
            lambda: list(directory.glob(f"{guard_process.DIRECTORY_PREFIX}*")), what="the private directory"
        )
        wait_for(lambda: len(list(directory.glob("*/*"))) >= attempt, what="the scripts", every=0)  # noqa: B023
        launcher.kill()
        launcher.wait()
        wait_for(lambda: not guards(), what="the guard's end")
        assert not processes(long), attempt
    Processes()  # removes the directory of a launcher that was killed before it had a guard


def test_a_script_that_had_ended_keeps_what_it_left_running(long: str, directory: Path) -> None:
    other = f"{long}1"
    launcher = start_launcher(f"setsid sleep {long} > /dev/null 2>&1 &", f"sleep {other}")
    wait_for(lambda: processes(long) and processes(other), what="both")
    private = next(directory.iterdir())
    wait_for(lambda: len(list(private.iterdir())) == 1, what="the end of the first script")
    launcher.kill()
    launcher.wait()
    wait_for(lambda: list(directory.iterdir()) == [], what="the guard's end")
    assert processes(long)
    assert not processes(other)


def test_signals_to_the_launchers_process_group_leave_the_guard_at_work(long: str, directory: Path) -> None:
    launcher = start_launcher(f"sleep {long}")
    wait_for(lambda: processes(long), what="the script")
    its_guard = guard_of(launcher)
    assert os.getsid(its_guard.pid) != os.getsid(launcher.pid)
    wait_for(
        lambda: its_guard.num_threads() and "sigign" in _signals(its_guard.pid), what="the guard's start"
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        its_guard.send_signal(number)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    wait_for(lambda: not processes(long), what="the end of the script")
    wait_for(lambda: list(directory.iterdir()) == [], what="the guard's end")


def _signals(pid: int) -> str:
    """Return "sigign" once a process ignores SIGTERM."""
    text = Path(f"/proc/{pid}/status").read_text()
    mask = int(re.search(r"SigIgn:\s+(\w+)", text)[1], 16)  # type: ignore[index]
    return "sigign" if mask >> (signal.SIGTERM - 1) & 1 else ""


def test_a_guard_that_dies_is_replaced_and_no_step_notices(long: str, directory: Path) -> None:
    launcher = start_launcher(f"sleep {long}")
    wait_for(lambda: processes(long), what="the script")
    first = guard_of(launcher)
    first.kill()

    def second() -> psutil.Process | None:
        children = psutil.Process(launcher.pid).children()
        found = [c for c in children if guard_process.__file__ in _arguments(c) and c.pid != first.pid]
        return found[0] if found else None

    wait_for(second, what="another guard")
    assert processes(long)
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not processes(long), what="the end of the script")
    wait_for(lambda: list(directory.iterdir()) == [], what="the guard's end")


def _arguments(process: psutil.Process) -> list[str]:
    """Return a process's arguments; none if it is gone."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_what_outlived_launcher_and_guard_is_ended_by_the_next_launcher(long: str, directory: Path) -> None:
    launcher = start_launcher(f"sleep {long}", f"setsid sleep {long} & sleep {long}")
    wait_for(lambda: len(processes(long)) == 3, what="the scripts")
    bystander = start_launcher(f"sleep {long}1")
    wait_for(lambda: processes(f"{long}1"), what="another launcher's script")
    its_guard = guard_of(launcher)
    os.kill(its_guard.pid, signal.SIGSTOP)  # so that it can't act between the two deaths
    launcher.kill()
    its_guard.kill()
    launcher.wait()
    assert len(processes(long)) == 3
    Processes()
    assert not processes(long)
    assert processes(f"{long}1")  # its launcher lives
    assert len(list(directory.iterdir())) == 1
    bystander.kill()
    bystander.wait()
    wait_for(lambda: list(directory.iterdir()) == [], what="its guard's end")


def test_foreign_directories_are_left_alone(directory: Path) -> None:
    other = directory / f"{guard_process.DIRECTORY_PREFIX}file"
    other.write_text("x")
    link = directory / f"{guard_process.DIRECTORY_PREFIX}link"
    target = directory / "target"
    target.mkdir()
    (target / "file").write_text("x")
    link.symlink_to(target)
    Processes()
    assert other.read_text() == "x"
    assert (target / "file").read_text() == "x"
    assert stat.S_ISLNK(link.lstat().st_mode)
    for path in (other, link, target / "file"):
        path.unlink()
    target.rmdir()


def test_the_guard_is_small(long: str) -> None:
    launcher = start_launcher(f"sleep {long}")
    wait_for(lambda: processes(long), what="the script")
    its_guard = guard_of(launcher)
    wait_for(lambda: _signals(its_guard.pid), what="the guard's start")
    assert its_guard.memory_info().rss < 16_000_000
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not its_guard.is_running(), what="the guard's end")
