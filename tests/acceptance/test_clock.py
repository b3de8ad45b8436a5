"""The server's clock is set back and forth under a running launcher: no job stops, none runs twice."""

import time
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    add_yearly_job,
    make_due,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
)

HOUR = 3600


@pytest.fixture
def clock(own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give `own_cluster` a clock that stands still at the time which the returned file has, in epoch seconds."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert libraries, "the package libfaketime is missing: run the tests by make"
    clock = tmp_path / "clock"
    set_clock(clock, time.time() // 1)
    own_cluster.stop()
    with monkeypatch.context() as environment:
        environment.setenv("LD_PRELOAD", str(libraries[0]))
        environment.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
        environment.setenv("FAKETIME_FMT", "%s")
        environment.setenv("FAKETIME_NO_CACHE", "1")
        environment.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        own_cluster.start()
    return clock


def set_clock(clock: Path, epoch: float) -> None:
    """Make it `epoch`, whole seconds, for the server."""
    new = clock.with_suffix(".new")
    new.write_text(f"{epoch:.0f}\n")
    new.rename(clock)


def test_no_run_is_lost_or_repeated_when_the_clock_is_set(
    own_cluster: Cluster, clock: Path, launcher: StartLauncher
) -> None:
    """A job that runs every minute, through five settings of the clock."""
    agent = serving(launcher("-l", "2", "-t", "0.5", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:

        def set_to(epoch: float) -> None:
            set_clock(clock, epoch)
            assert value(db, "SELECT extract(epoch FROM clock_timestamp())::float8") == epoch

        def next_run() -> float:
            query = "SELECT extract(epoch FROM jobnextrun)::float8 FROM pgagent.pga_job WHERE jobid = %s"
            return float(value(db, query, job))

        def wait_for_runs(count: int) -> None:
            wait_for(lambda: len(statuses(db, job)) >= count)
            wait_for_end(db, job)
            assert statuses(db, job) == [("s", "s")] * count

        noon = (time.time() // 86400 + 2) * 86400 + 12 * HOUR
        set_to(noon - 61)
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"}, cron="* * * * *")
        other = add_yearly_job(db, "b", {"sql": "SELECT 1"})
        set_to(noon - 60)
        wait_for_runs(1)
        assert next_run() == noon

        # Back by an hour: the minutes that come a second time are waited out, even if somebody edits the job
        set_to(noon - HOUR)
        db.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobid = %s", [job])
        assert next_run() == noon
        set_to(noon - HOUR + 60)
        make_due(db, other)
        wait_for_end(db, other)  # so the launcher has looked
        assert statuses(db, other) == [("s", "s")]
        assert statuses(db, job) == [("s", "s")]
        set_to(noon)
        wait_for_runs(2)

        # Forward by a day: what was missed runs once
        set_to(noon + 24 * HOUR + 10)
        wait_for_runs(3)
        assert next_run() == noon + 24 * HOUR + 60

        # Back by the same day, a correction: it goes on from there
        set_to(noon + 120)
        wait_for(lambda: next_run() == noon + 180, what="a new next run")
        set_to(noon + 180)
        wait_for_runs(4)

        # The same while nobody looks
        set_to(noon + 24 * HOUR)
        wait_for_runs(5)
        stop(agent)
        set_to(noon + 5 * HOUR)
        agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
        wait_for(lambda: next_run() == noon + 5 * HOUR + 60, what="a new next run")
    stop(agent)


def test_a_clock_set_back_by_less_than_a_run_repeats_nothing(
    own_cluster: Cluster, clock: Path, launcher: StartLauncher, tmp_path: Path
) -> None:
    """A time server turns the clock back by less than a run takes: the due time that has run is not computed again."""
    agent = serving(launcher("-l", "2", "-t", "0.5", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        minute = (time.time() // 60 + 10) * 60
        set_clock(clock, minute - 1)
        step = {"batch": f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done"}
        job = add_yearly_job(db, "a", step, cron="* * * * *")
        set_clock(clock, minute)
        wait_for(lambda: statuses(db, job) == [("r", "r")])
        set_clock(clock, minute - 5)
        (tmp_path / "gate").touch()
        wait_for_end(db, job)
        assert value(db, "SELECT extract(epoch FROM jobnextrun)::float8 FROM pgagent.pga_job") == minute + 60
        assert value(db, "SELECT jlgduration >= '0' FROM pgagent.pga_joblog")
    stop(agent)
