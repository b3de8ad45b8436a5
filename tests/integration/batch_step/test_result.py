"""launcher/engines/local.py with real scripts: interpreters, exit codes, output."""

import asyncio
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from launcher.processes import Processes
from launcher.step import StepResult
from tests.helpers.batch_steps import PYTHON, execute, local_step, step_run, with_steps
from tests.helpers.steps import until


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
def test_a_missing_interpreter_is_named(code: str, status: int, words: str) -> None:
    result = execute(code)
    assert (result.jslstatus, result.jslresult) == ("f", status)
    assert words in result.jsloutput


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_result(code: int) -> None:
    result = execute(f"exit {code}")
    assert (result.jlgid, result.jslid) == (12, 14)
    assert (result.jslstatus, result.jslresult) == ("s" if code == 0 else "f", code)
    assert result.jsloutput == ""


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "PIPE"])
def test_death_by_a_signal_is_128_more_and_said(name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    result = execute(f"echo a; kill -{name} $$")
    assert (result.jslstatus, result.jslresult) == ("f", 128 + number)
    assert result.jsloutput == f"a\nThe script was killed by signal {number} (SIG{name}).\n"


def test_duration_is_the_time_in_seconds() -> None:
    begin = time.monotonic()
    assert 0.3 <= execute("sleep 0.3").jslduration <= time.monotonic() - begin


def test_stdout_and_stderr_are_kept_apart() -> None:
    result = execute("echo one; echo problem >&2; echo two")
    assert result.jsloutput == "one\ntwo\nStandard error:\nproblem\n"


def test_steps_at_the_same_time_have_their_own_output() -> None:
    async def scenario(steps: Processes) -> list[StepResult]:
        code = "for i in 1 2 3 4 5; do echo out{0}; echo err{0} >&2; sleep 0.02; done"
        runs = [step_run(code.replace("{0}", str(number))) for number in range(20)]
        return await asyncio.gather(*(local_step(run, steps).execute() for run in runs))

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


def test_bytes_that_are_not_text_are_replaced() -> None:
    result = execute("printf 'a\\377b\\000c'")
    assert result.jsloutput == "a\ufffdb\ufffdc"


def test_output_is_shown_while_the_script_runs(directory: Path) -> None:
    go_on = directory / "go_on"

    async def scenario(steps: Processes) -> tuple[str, StepResult]:
        code = f"echo early; echo problem >&2; while [ ! -e {go_on} ]; do sleep 0.01; done; echo late"
        step = local_step(step_run(code), steps)
        task = asyncio.create_task(step.execute())
        await until(lambda: "problem" in step.output_so_far())
        shown = step.output_so_far()
        go_on.touch()
        return shown, await task

    shown, result = with_steps(scenario)
    go_on.unlink()
    assert shown == "early\nStandard error:\nproblem\n"
    assert result.jsloutput == "early\nlate\nStandard error:\nproblem\n"
