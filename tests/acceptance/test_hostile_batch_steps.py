"""Batch steps that do their worst, in one launcher: each is logged truly, none disturbs its neighbours."""

import contextlib
from pathlib import Path

import psutil

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_yearly_job,
    check_sound,
    make_due,
    output,
    serving,
    statuses,
    stop,
    value,
    wait_for_end,
    wait_for_row,
)

# name: script, exit code in the log, what the output must hold
HOSTILE = {
    "exit code": ("echo out; echo err >&2; exit 42", 42, "out\nStandard error:\nerr\n"),
    "killed": ("kill -KILL $$", 137, "killed by signal 9 (SIGKILL)"),
    "whole group killed": ("kill -TERM 0", 143, "killed by signal 15 (SIGTERM)"),
    "missing interpreter": ("#!/no/such/program\n", 127, "/no/such/program"),
    "line ends of Windows": ("#!/bin/sh\r\necho fine\r\n", 0, "fine\n"),
    "no first line": ("echo plain", 0, "plain\n"),
    "stdin": ("cat; echo end", 0, "end\n"),
    "much output": ("head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last", 0, "bytes cut"),
    "not UTF-8": ("printf '\\377\\376\\0x\\n'", 0, "\ufffd\ufffd\ufffdx\n"),
    "child keeps the pipe": ("sleep 300 & echo gone", 0, "gone\n"),
    "forks away": ("setsid sh -c 'sleep 300' > /dev/null 2>&1 & echo away", 0, "away\n"),
    "closes everything": ("exec 0<&- 1>&- 2>&-; exit 7", 7, ""),
    "removes its script": ("rm -f $PGAGENT_STEP_SCRIPT; echo removed", 0, "removed\n"),
    "stops": ("(sleep 0.3; kill -CONT $$) & kill -STOP $$; echo resumed", 0, "resumed\n"),
}
STRAY = "sleep 300"


def test_hostile_scripts_are_logged_truly_and_disturb_nobody(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """All at once; afterwards the launcher has not grown, and works."""
    agent = serving(launcher("-l", "2", database))
    jobs = {name: add_yearly_job(db, name, {"batch": code}) for name, (code, _, _) in HOSTILE.items()}
    bystander = add_yearly_job(db, "bystander", {"batch": "echo fine"}, {"sql": "SELECT 1"})
    make_due(db, bystander)
    wait_for_end(db, bystander)
    process = psutil.Process(agent.pid)
    before = process.memory_info().rss
    make_due(db, *jobs.values())
    make_due(db, bystander)
    try:
        wait_for_end(db, bystander, *jobs.values())
        assert process.memory_info().rss - before < 32 * 2**20, "memory is not flat"
        for name, (_, code, words) in HOSTILE.items():
            status = "f" if code else "s"
            assert statuses(db, jobs[name]) == [(status, status)], (name, output(db, jobs[name]))
            assert words in output(db, jobs[name]), (name, output(db, jobs[name])[:1000])
            assert value(
                db, "SELECT jslresult FROM pgagent.pga_jobsteplog JOIN pgagent.pga_joblog ON jlgid = jsljlgid"
                " WHERE jlgjobid = %s", jobs[name]
            ) == code  # fmt: skip
        kept = output(db, jobs["much output"])
        assert 2**19 < len(kept) < 2**20 + 1000
        assert kept.endswith("x\nlast\n")
        assert statuses(db, bystander) == [("s", "ss")] * 2
        stop(agent)
        check_sound(db)
    finally:
        for stray in psutil.process_iter(["cmdline"]):
            with contextlib.suppress(psutil.Error):  # another user's, or just gone
                if (
                    stray.info["cmdline"] == STRAY.split()
                    and stray.environ().get("PGAGENT_JOB_NAME") in HOSTILE
                ):
                    stray.kill()


def test_output_is_shown_while_it_runs(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """The log has what a step has written so far."""
    agent = serving(launcher("-l", "2", database))
    gates = [tmp_path / name for name in ("first", "second")]
    wait = "while [ ! -e {} ]; do sleep 0.05; done\n".format
    job = add_yearly_job(db, "a", {"batch": f"echo one\n{wait(gates[0])}echo two\n{wait(gates[1])}"})
    make_due(db, job)
    shown = "SELECT 1 FROM pgagent.pga_jobsteplog WHERE jslstatus = 'r' AND jsloutput = %s"
    wait_for_row(db, shown, "one\n")
    gates[0].touch()
    wait_for_row(db, shown, "one\ntwo\n")
    gates[1].touch()
    wait_for_end(db, job)
    assert statuses(db, job) == [("s", "s")]
    stop(agent)
