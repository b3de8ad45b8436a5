"""The launcher is short of processes, descriptors, memory or room on the disk: it goes on, or waits and says so."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    Launcher,
    add_yearly_job,
    check_sound,
    make_due,
    output,
    rows,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
)


@contextlib.contextmanager
def limited(launcher: Launcher, kind: int, limit: int) -> Iterator[None]:
    """Limit a resource of a launcher that runs."""
    before = resource.prlimit(launcher.pid, kind)
    resource.prlimit(launcher.pid, kind, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(launcher.pid, kind, before)


def note(directory: Path) -> str:
    """Return a script that notes its run."""
    return f"echo $PGAGENT_RUN_ID >> {directory}/effects"


def noted(directory: Path) -> list[int]:
    """Return the runs that were noted."""
    return sorted(map(int, (directory / "effects").read_text().split()))


def test_no_process_is_to_be_had(database: str, db: Db, launcher: StartLauncher, tmp_path: Path) -> None:
    """Batch steps wait for one and say so; SQL steps do not need any."""
    agent = serving(launcher("-l", "2", database))
    first, batch, sql = (
        add_yearly_job(db, "first", {"batch": note(tmp_path)}),
        add_yearly_job(db, "batch", {"batch": note(tmp_path)}),
        add_yearly_job(db, "sql", "SELECT 1"),
    )
    with limited(agent, resource.RLIMIT_NPROC, 1):
        make_due(db, first, batch, sql)
        wait_for_end(db, sql)
        for job in (first, batch):
            wait_for(lambda job=job: output(db, job).startswith("Waiting to start: "), what="it to say so")  # type: ignore[misc]
        db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
        make_due(db, sql)
        wait_for(lambda: statuses(db, sql) == [("s", "s")] * 2, what="it to come back")
    wait_for_end(db, first, batch)
    assert output(db, batch) == "Waiting to start: Resource temporarily unavailable.\n"
    assert statuses(db, first) == statuses(db, batch) == [("s", "s")]
    assert len(noted(tmp_path)) == 2
    check_sound(db)
    stop(agent)


def test_few_descriptors_are_left(database: str, db: Db, launcher: StartLauncher, tmp_path: Path) -> None:
    """Steps wait for them. The control connection has some of its own."""
    agent = serving(launcher("-l", "2", database))
    kinds = [{"batch": f"{note(tmp_path)}; sleep 0.1"}, {"sql": "SELECT pg_sleep(0.1)"}]
    jobs = [add_yearly_job(db, f"job {n}", kinds[n % 2], kinds[(n + 1) % 2]) for n in range(30)]
    make_due(db, jobs[0])
    wait_for_end(db, jobs[0])
    used = psutil.Process(agent.pid).num_fds()
    with limited(agent, resource.RLIMIT_NOFILE, used + 10):
        make_due(db, *jobs)
        for _ in range(5):
            db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
            turns = value(db, "SELECT count(*) FROM pgagent.pga_jobsteplog WHERE jslstatus = 's'")
            wait_for(
                lambda turns=turns: (
                    value(  # type: ignore[misc]
                        db, "SELECT count(*) FROM pgagent.pga_jobsteplog WHERE jslstatus = 's'"
                    )
                    > turns
                    or not rows(db, "SELECT FROM pgagent.pga_job WHERE jobagentid IS NOT NULL")
                ),
                what="it to come back",
            )
        wait_for_end(db, *jobs)
    assert {status for job in jobs for status in statuses(db, job)} == {("s", "ss")}
    assert noted(tmp_path) == sorted(run for (run,) in rows(db, "SELECT jlgid FROM pgagent.pga_joblog"))
    check_sound(db)
    stop(agent)


def test_little_memory_is_left(database: str, db: Db, launcher: StartLauncher, tmp_path: Path) -> None:
    """A step whose output finds no room fails and says so. Nothing runs twice, and no result is lost."""
    agent = serving(launcher("-l", "2", "--output-limit", "10000000", database))
    script = f"{note(tmp_path)}; head -c 20000000 /dev/zero | tr '\\0' x; sleep 1"
    notices = "DO $$BEGIN FOR i IN 1..200 LOOP RAISE NOTICE '%', repeat('x', 100000); END LOOP; END$$"
    small = add_yearly_job(db, "small", {"batch": "echo small"})
    make_due(db, small)
    wait_for_end(db, small)
    jobs = [
        add_yearly_job(db, f"job {n}", {"batch": script}, {"sql": notices, "on_error": "ignore"})
        for n in range(20)
    ]
    with limited(agent, resource.RLIMIT_AS, psutil.Process(agent.pid).memory_info().vms + (64 << 20)):
        make_due(db, *jobs)
        wait_for_end(db, *jobs)
        make_due(db, small)
        wait_for_end(db, small)
    assert noted(tmp_path) == sorted(
        run for (run,) in rows(db, "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgjobid <> %s", small)
    )
    assert statuses(db, small) == [("s", "s")] * 2
    assert output(db, small) == "small\n"
    failed = rows(
        db, "SELECT right(jsloutput, 100) FROM pgagent.pga_jobsteplog WHERE jslstatus IN ('f', 'i')"
    )
    assert failed, "there was memory enough"
    assert all("no memory" in words for (words,) in failed)
    check_sound(db)
    stop(agent)


@pytest.mark.parametrize("logfile", ["stderr", "file"])
def test_the_disk_is_full(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, logfile: str
) -> None:
    """Scripts can't be written, and neither can the log. SQL steps go on; so does the rest when there is room again."""
    options = ["-s", str(tmp_path / "log")] if logfile == "file" else []
    agent = launcher("-l", "2", *options, database)
    batch, sql = add_yearly_job(db, "batch", {"batch": note(tmp_path)}), add_yearly_job(db, "sql", "SELECT 1")
    make_due(db, batch)
    wait_for_end(db, batch)
    with limited(agent, resource.RLIMIT_FSIZE, 0):
        make_due(db, batch, sql)
        wait_for_end(db, batch, sql)
    assert output(db, batch) == f"The script can't be started: {os.strerror(27)}.\n"
    make_due(db, batch, sql)
    wait_for_end(db, batch, sql)
    assert statuses(db, batch) == [("s", "s"), ("f", "f"), ("s", "s")]
    assert statuses(db, sql) == [("s", "s")] * 2
    assert len(noted(tmp_path)) == 2
    check_sound(db)
    stop(agent)
