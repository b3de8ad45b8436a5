"""What add_job does when the role has a job of that name already, so that a migration can run again."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import EDITS, lock_jobs, may_edit
from .job_cron import has_cron, set_cron, set_timezone
from .options import Columns, Values
from .steps import add_step, alter_step

WAYS = ("add", "replace", "keep", "error")


class Present(NamedTuple):
    """What there is before a job is added: *job* is to be kept or replaced. *edits*: the role may edit pgAgent's tables.

    *class_*: pgAgent's first class of jobs.
    """

    job: int | None
    edits: bool
    class_: int | None


# $1 name, $2 role. The jobs of those that add jobs as this role does: its own, or, of roles that may edit pgAgent's tables, those
# without an owner.
FIND_SAME = Statement(
    f"""
SELECT e.edits, (SELECT min(c.jclid) FROM pgagent.pga_jobclass c) AS class,
       ARRAY(SELECT j.jobid FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_owner o ON o.jobid = j.jobid
              WHERE j.jobname = $1
                AND CASE WHEN e.edits THEN o.jobid IS NULL ELSE o.jobownerid = to_regrole(quote_ident($2)) END
              ORDER BY j.jobid LIMIT 11) AS jobs
  FROM (SELECT {EDITS.format("$2")} AS edits) e""",
    "text",
    "name",
)


# $1 role, $2 whether it may edit pgAgent's tables. Of two calls at once the second waits for the end of the first. A transaction
# with an old snapshot gets a serialization failure: it would not find what the first has added.
WAIT = Statement(
    """
INSERT INTO pgagent_py.adding (jobownerid)
SELECT CASE WHEN $2 THEN 0::oid ELSE to_regrole(quote_ident($1))::oid END
    ON CONFLICT (jobownerid) DO UPDATE SET addedat = now()""",
    "name",
    "bool",
)


def _find_same(plpy: Plpy, caller: str, name: str | None, lock: bool) -> Row:
    """Return the jobs of this name, locked if they are to be changed: what counts is whose they are when they are locked."""
    locked: set[int] = set()
    while True:
        (found,) = FIND_SAME(plpy, name, caller)
        if not lock or locked.issuperset(found["jobs"]):
            return found
        lock_jobs(plpy, found["jobs"])
        locked.update(found["jobs"])


def find_present(plpy: Plpy, caller: str, name: str | None, if_exists: str | None) -> Present:
    """Return what there is, with the job that is to be kept or replaced, if any."""
    way = "add" if if_exists is None else if_exists
    if way not in WAYS:
        raise invalid(
            "if_exists", f'if_exists "{way}" is unknown', f"Use {', '.join(WAYS[:-1])} or {WAYS[-1]}."
        )
    if way != "add":
        WAIT(plpy, caller, may_edit(plpy, caller))
    same = _find_same(plpy, caller, name, lock=way == "replace")
    found = same["jobs"]
    if not found or way == "add":
        if found:
            plpy.notice(f"there is a job of this name already: {found[0]}", hint=NOTICE_HINT)
        return Present(None, same["edits"], same["class"])
    if way == "error":
        raise PgAgentError(f"name: there is a job of this name already: {found[0]}", ERROR_HINT, "42710")
    if len(found) > 1:
        raise invalid(
            "name", f"name: there are several jobs of this name: {', '.join(map(str, found))}", SEVERAL_HINT
        )
    return Present(found[0], same["edits"], same["class"])


NOTICE_HINT = "With if_exists => 'replace' or 'keep' it is not added once more."
ERROR_HINT = "Use if_exists => 'replace', 'keep' or 'add'."
SEVERAL_HINT = "Change one with alter_job(), or drop all but one."

READ_JOB = Statement(
    "SELECT j.jobdesc, j.jobjclid, j.jobhostagent, j.jobenabled FROM pgagent.pga_job j WHERE j.jobid = $1",
    "int4",
)
READ_STEP = Statement(
    """
SELECT s.jstid, s.jstkind::text AS kind, s.jstcode AS code, s.jstdbname::text AS database, s.jstconnstr AS connstr
  FROM pgagent.pga_jobstep s JOIN pgagent.pga_job j ON j.jobid = s.jstjobid
 WHERE s.jstjobid = $1 AND s.jstname = j.jobname ORDER BY s.jstid LIMIT 1""",
    "int4",
)


def replace_job(
    plpy: Plpy,
    caller: str,
    job: int,
    table: Columns,
    values: Values,
    step: Row,
    cron: str | None,
    timezone: str | None,
) -> None:
    """Make *job* what is given. What does not differ is not written, what is not given stays."""
    (now,) = READ_JOB(plpy, job)
    # True is the default of enabled: somebody has disabled the job, and a migration that runs again knows nothing of it.
    if values.get("jobenabled"):
        del values["jobenabled"]
    table.write(
        plpy, job, {name: value for name, value in values.items() if name in now and now[name] != value}
    )
    if step["sql"] is not None or step["batch"] is not None:
        _replace_step(plpy, caller, job, **step)
    if cron is not None and not has_cron(plpy, job, cron, timezone):
        set_cron(plpy, caller, job, cron)
        if timezone is not None:
            set_timezone(plpy, job, timezone)


def _replace_step(
    plpy: Plpy,
    caller: str,
    job: int,
    name: str | None,
    sql: str | None,
    batch: str | None,
    database: str | None,
) -> None:
    """Give the step under the name of the job this code."""
    given: dict[str, Any] = {"sql": sql, "batch": batch, "database": database}
    for step in READ_STEP(plpy, job):
        wanted = ("s", sql) if batch is None else ("b", batch)
        elsewhere = database is not None and (step["database"] != database or step["connstr"])
        if (step["kind"], step["code"]) != wanted or elsewhere:
            alter_step(plpy, caller, step=step["jstid"], **given)
        return
    add_step(plpy, caller, job=job, name=name, **given)
