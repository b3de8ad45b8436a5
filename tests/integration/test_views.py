"""Views of version 1.0.0 that had words of their own for ids: the uniform name stands beside them, at the end."""

from typing import Any

import psycopg
import pytest

ALIASES = {
    "job_options": {"job": "jobid"},
    "step_options": {"job": "jobid", "step": "jstid"},
    "schedule_options": {"job": "jobid", "schedule": "jscid"},
    "job_message": {"msgjobid": "jobid"},
    "unsent_message": {"qmsjobid": "jobid", "qmsjlgid": "jlgid"},
    "visible_step": {"jstjobid": "jobid"},
    "visible_schedule": {"jscjobid": "jobid"},
    "visible_exception": {"jexscid": "jscid"},
}

FILL = """
SELECT pgagent_py.add_job('another');
SELECT pgagent_py.add_job('job', cron => '@daily', sql => 'SELECT 1/0', timezone => 'UTC');
SELECT pgagent_py.alter_job(2, priority => 1);
SELECT pgagent_py.alter_step(1, retries => 1, retry_delay => '0');
SELECT pgagent_py.add_exception(1, '2030-01-01');
SELECT pgagent_py.add_message(2, 'email', 'x@example.org');
SELECT pgagent_py.run_now(2);
SELECT pgagent_py.run_due()"""


@pytest.mark.parametrize("view", ALIASES)
def test_ids_have_the_uniform_names_too(db: psycopg.Connection[Any], view: str) -> None:
    for statement in FILL.split(";"):
        db.execute(statement.encode())
    found = db.execute(f"SELECT to_jsonb(v) FROM pgagent_py.{view} v".encode()).fetchone()
    assert found
    row = found[0]
    assert {old: row[old] for old in ALIASES[view]} == {old: row[new] for old, new in ALIASES[view].items()}
    assert None not in (row[old] for old in ALIASES[view])
    query = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    columns = [name for (name,) in db.execute(query, [f"pgagent_py.{view}"])]
    assert [name for name in columns if name in ALIASES[view].values()] == list(ALIASES[view].values())


def _loops(plan: dict[str, Any], table: str) -> float:
    """Return how often a plan looks into a table."""
    own = plan["Actual Loops"] if plan.get("Relation Name") == table else 0
    return float(own + sum(_loops(below, table) for below in plan.get("Plans", [])))


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("SELECT * FROM pgagent_py.job_status ORDER BY jobname LIMIT 50", 50 * 12),
        ("SELECT count(*) FROM pgagent_py.job_status", 0),
    ],
)
def test_job_status_looks_only_for_the_runs_of_what_it_shows(
    db: psycopg.Connection[Any], query: str, most: int
) -> None:
    db.execute(
        "INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, 'j' || g FROM generate_series(1, 2000) g"
    )
    db.execute(
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) SELECT j.jobid, 's' FROM pgagent.pga_job j"
    )
    db.execute("ANALYZE")
    found = db.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode()).fetchone()
    assert found
    assert _loops(found[0][0]["Plan"], "pga_joblog") <= most
