"""What people ask who know their jobs by name: upcoming runs, ids, statistics, another time, the same job once more."""

import time

import psycopg
import pytest

from tests.helpers import Db, add_job, call, forms, rows, run_due, run_now, value


def test_upcoming_runs_of_all_jobs_come_merged_by_time_and_name(db: Db) -> None:
    add_job(db, "b", cron="0 */6 * * *", timezone="UTC", sql="SELECT 1")
    job = add_job(db, "a", cron="0 0 13 * 5", timezone="UTC", sql="SELECT 1")
    add_job(db, "off", cron="* * * * *", enabled=False)
    add_job(db, "start", cron="@reboot")
    call(db, "add_schedule", job=job, name="more", cron="0 0 * * *", timezone="UTC")
    found = rows(
        db,
        "SELECT at AT TIME ZONE 'UTC', jobname FROM pgagent_py.upcoming_runs('2099-03-14Z', '2099-03-12 17:00Z')",
    )
    assert [(f"{at:%d %H}", name) for at, name in found] == [
        ("12 18", "b"), ("13 00", "a"), ("13 00", "b"), ("13 06", "b"), ("13 12", "b"), ("13 18", "b"), ("14 00", "a"),
        ("14 00", "b"),
    ]  # fmt: skip
    assert len(rows(db, "SELECT FROM pgagent_py.upcoming_runs('infinity', count => 7)")) == 7
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="count"):
        db.execute("SELECT pgagent_py.upcoming_runs(count => -1)")


@forms(200, 10_000)
def test_upcoming_runs_of_many_jobs_cost_less_than_to_ask_each_and_can_be_cancelled(
    db: Db, size: int
) -> None:
    db.execute(
        """
        SELECT pgagent_py.add_job('job ' || n, cron => format('%%s %%s * * *', n %% 60, n %% 24), sql => 'SELECT 1')
          FROM generate_series(1, %s) n""",
        [size],
    )
    merged = """
        SELECT count(*), count(DISTINCT u.jobid) FROM pgagent_py.upcoming_runs(now() + '7 days', count => 1000) u"""
    each = "SELECT count(*) FROM pgagent_py.visible_job v, pgagent_py.next_runs(v.jobid, 10) r"
    seconds = {}
    for query in (each, merged, each, merged):
        began = time.monotonic()
        found = rows(db, query)
        seconds[query] = time.monotonic() - began
    assert found == [(1000, min(size, 1000))]
    print(
        f"{size} jobs: the first 1000 runs of a week in {seconds[merged]:.2f} s, ten of each job in {seconds[each]:.2f} s"
    )
    assert seconds[merged] < seconds[each]
    db.execute("SET statement_timeout = '300 ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute("SELECT pgagent_py.upcoming_runs('infinity', count => 2000000000)")


def test_upcoming_runs_are_next_runs_of_each_job(db: Db) -> None:
    """Jobs that are due, that have just been changed, or that run long after others are not lost."""
    for number in range(40):
        add_job(db, f"job {number}", cron=f"{number} {number % 24} * * {number % 7}", sql="SELECT 1")
    run_now(db, value(db, "SELECT pgagent_py.job_id('job 7')"))
    merged = rows(db, "SELECT at, jobid FROM pgagent_py.upcoming_runs(now() + '10 days', count => 30)")
    each = rows(
        db,
        """SELECT r, j.jobid FROM pgagent.pga_job j, pgagent_py.next_runs(j.jobid, 30) r
            WHERE r <= now() + '10 days' ORDER BY r, j.jobname LIMIT 30""",
    )
    assert merged == each


def test_job_id_finds_the_only_job_of_a_name(db: Db) -> None:
    first = add_job(db, "twice")
    assert value(db, "SELECT pgagent_py.job_id('twice')") == first
    second = add_job(db, "twice")
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match='several jobs are called "twice"'
    ) as error:
        db.execute("SELECT pgagent_py.job_id('twice')")
    assert error.value.diag.message_hint == f"Give an id: {first}, {second}"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='there is no job "never"'):
        db.execute("SELECT pgagent_py.job_id('never')")
    # An index takes it, too.
    db.execute(
        "INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT jobjclid, repeat('x', 20000) FROM pgagent.pga_job LIMIT 1"
    )
    assert value(db, "SELECT pgagent_py.job_id(repeat('x', 20000))")


def test_statistics_compare_with_the_period_before(db: Db) -> None:
    job = add_job(db, "j", sql="SELECT 1")
    db.execute(
        """INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
           SELECT %s, CASE WHEN n = 1 THEN 'f' ELSE 's' END, now() - n * interval '1 day' - interval '1 hour',
                  CASE WHEN n < 7 THEN interval '4 s' ELSE interval '2 s' END FROM generate_series(13, 0, -1) n""",
        [job],
    )
    found = rows(
        db,
        """SELECT jobname, runs, failures, extract(epoch FROM median_duration)::int, runs_before, failures_before,
                  duration_trend::int FROM pgagent_py.run_statistics()""",
    )
    assert found == [("j", 7, 1, 4, 7, 0, 2)]
    assert rows(db, "SELECT median_lateness FROM pgagent_py.run_statistics()") == [(None,)]
    run_now(db, job)
    run_due(db)
    assert value(db, "SELECT median_lateness >= '0' FROM pgagent_py.run_statistics()")


def schedules(db: Db, job: int) -> list[tuple[int, str, str]]:
    return rows(
        db, "SELECT jscid, jscname, cron FROM pgagent_py.visible_schedule WHERE jobid = %s ORDER BY 1", job
    )


def test_cron_of_alter_job_replaces_what_cron_has_made(db: Db) -> None:
    job = add_job(db, "j", cron="0 3 * * *", timezone="Asia/Tokyo", sql="SELECT 1")
    ((first, _, _),) = schedules(db, job)
    call(db, "add_exception", schedule=first, on_date="2099-01-13")
    call(db, "alter_job", job=job, name="renamed", cron="0 4 13 * 5")
    assert [(name, cron) for _, name, cron in schedules(db, job)] == [
        ("j", "0 4 13 * *"),
        ("renamed", "0 4 * * 5"),
    ]
    assert schedules(db, job)[0][0] == first
    zones = rows(db, "SELECT DISTINCT jsctimezone FROM pgagent_py.visible_schedule")
    assert zones == [("Asia/Tokyo",)]
    assert value(db, "SELECT count(*) FROM pgagent_py.visible_exception") == 2
    call(db, "alter_job", job=job, cron="@reboot")
    assert [cron for _, _, cron in schedules(db, job)] == ["@reboot"]
    call(db, "alter_job", job=job, cron="@hourly")
    assert [cron for _, _, cron in schedules(db, job)] == ["0 * * * *"]
    call(db, "alter_job", job=job, cron="")
    assert schedules(db, job) == []
    call(db, "alter_job", job=job, cron="0 5 * * *")
    assert [(name, cron) for _, name, cron in schedules(db, job)] == [("renamed", "0 5 * * *")]


def test_cron_of_alter_job_leaves_what_others_have_made(db: Db) -> None:
    job = add_job(db, "j", cron="0 3 * * *", sql="SELECT 1")
    before = schedules(db, job)
    call(db, "add_schedule", job=job, name="by hand", every="1 h")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='cron: schedule "by hand" of job'):
        call(db, "alter_job", job=job, cron="0 4 * * *")
    assert schedules(db, job)[0] == before[0]


@pytest.mark.parametrize(
    ("name", "change", "taken"),
    [
        ("j", "", True),
        ("other", "", False),
        ("j", "SELECT pgagent_py.add_exception(jscid, '2099-01-01') FROM pgagent.pga_schedule LIMIT 1", False),
        ("j", "SELECT pgagent_py.alter_schedule(jscid, every => '1 h') FROM pgagent.pga_schedule LIMIT 1", False),
        ("j", "SELECT pgagent_py.alter_schedule(jscid, cron => '@hourly') FROM pgagent.pga_schedule LIMIT 1", False),
    ],
)  # fmt: skip
def test_jobs_from_before_are_known_by_their_looks(db: Db, name: str, change: str, taken: bool) -> None:
    """Until 1.1 nothing noted which schedules cron has made."""
    job = add_job(db, "j")
    call(db, "add_schedule", job=job, name=name, cron="0 12 13 * fri")
    if change:
        db.execute(change.encode())
    if taken:
        call(db, "alter_job", job=job, cron="0 4 * * *")
        assert [cron for _, _, cron in schedules(db, job)] == ["0 4 * * *"]
    else:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="was not made by cron"):
            call(db, "alter_job", job=job, cron="0 4 * * *")


def versions(db: Db) -> list[tuple[str]]:
    return rows(
        db,
        """SELECT 'job' || xmin || ctid FROM pgagent.pga_job UNION ALL SELECT 'step' || xmin || ctid FROM pgagent.pga_jobstep
           UNION ALL SELECT 'schedule' || xmin || ctid FROM pgagent.pga_schedule""",
    )


def test_a_migration_that_adds_a_job_can_run_again(db: Db) -> None:
    given = {"cron": "0 3 13 * fri", "sql": "SELECT 1", "timezone": "UTC", "if_exists": "replace"}
    job = add_job(db, "j", **given)
    run_now(db, job)
    run_due(db)
    call(
        db, "alter_job", job=job, enabled=False
    )  # whoever has stopped it does not want it back by a migration
    before = versions(db)
    assert add_job(db, "j", **given) == job
    assert versions(db) == before
    assert add_job(db, "j", **given | {"sql": "SELECT 2", "cron": "0 4 * * *", "description": "d"}) == job
    assert [cron for _, _, cron in schedules(db, job)] == ["0 4 * * *"]
    assert rows(db, "SELECT jstcode, jobdesc FROM pgagent.pga_jobstep, pgagent.pga_job") == [
        ("SELECT 2", "d")
    ]
    assert (
        value(db, "SELECT count(*) FROM pgagent_py.run_history WHERE jobid = %s AND jstid IS NOT NULL", job)
        == 1
    )


def test_a_job_of_the_same_name_is_added_kept_or_refused(db: Db) -> None:
    notices: list[str] = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    job = add_job(db, "j", sql="SELECT 1")
    assert notices == []
    assert add_job(db, "j", sql="SELECT 2", if_exists="keep") == job
    with pytest.raises(psycopg.errors.DuplicateObject):
        add_job(db, "j", if_exists="error")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='if_exists "drop" is unknown'):
        add_job(db, "j", if_exists="drop")
    assert add_job(db, "j", sql="SELECT 3") != job
    assert notices == [f"there is a job of this name already: {job}"]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="several jobs of this name"):
        add_job(db, "j", if_exists="replace")


def test_only_one_step_of_a_job_is_run(db: Db) -> None:
    job = add_job(db, "j", "SELECT 1", "SELECT 2", "SELECT 3")
    second = value(db, "SELECT jstid FROM pgagent.pga_jobstep WHERE jstname = '2'")
    call(db, "run_now", job=job, only_step=second)
    call(db, "alter_step", step=second, name="0, first by now")
    run_due(db)
    ran = "SELECT jstname FROM pgagent_py.run_history WHERE jlgid = (SELECT max(jlgid) FROM pgagent.pga_joblog) ORDER BY jslid"
    assert rows(db, ran) == [("0, first by now",)]
    call(db, "run_now", job=job, only_step=second)
    run_now(db, job)  # a later order takes its place
    run_due(db)
    assert len(rows(db, ran)) == 3
    call(db, "run_now", job=job, only_step=second)
    call(db, "run_now", job=job, from_step=second)
    run_due(db)
    assert len(rows(db, ran)) == 3
    for wrong in ({"only_step": 99}, {"only_step": second, "from_step": second}):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"only_step|step 99"):
            call(db, "run_now", job=job, **wrong)
