"""Which role may do what. The caller's name comes from the view pgagent_py.request, where it can't be forged.

A role that may edit pgAgent's own tables may do all that pgAdmin can. A member of pgagent_py_user may do it with the jobs that
it owns: those whose owner's rights it has. To any other role a job looks as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .errors import PgAgentError, invalid
from .plan import Statement
from .plpy import Plpy

MAY_EDIT = Statement(
    """
SELECT has_schema_privilege($1, 'pgagent', 'USAGE')
   AND bool_and(has_table_privilege($1, t.name::regclass, p.privilege)) AS granted
  FROM unnest('{pgagent.pga_job,pgagent.pga_jobstep,pgagent.pga_schedule,pgagent.pga_exception}'::text[]) t (name)
 CROSS JOIN unnest('{INSERT,UPDATE,DELETE}'::text[]) p (privilege)""",
    "name",
)


def may_edit(plpy: Plpy, caller: str) -> bool:
    """Return whether *caller* may change pgAgent's own tables: then it may do all that pgAdmin can."""
    return bool(MAY_EDIT(plpy, caller)[0]["granted"])


def check_edit(plpy: Plpy, caller: str) -> None:
    """Raise an error unless *caller* may change pgAgent's tables."""
    if not may_edit(plpy, caller):
        raise PgAgentError(
            f"role {caller} may not change pgagent's jobs",
            hint="Grant it INSERT, UPDATE and DELETE on the tables of schema pgagent.",
            sqlstate="42501",
        )


IS_MEMBER = Statement(
    "SELECT FROM pg_roles g WHERE g.rolname = $2 AND pg_has_role($1, g.oid, 'MEMBER')", "name", "name"
)


def is_member(plpy: Plpy, role: str, group: str) -> bool:
    """Return whether *role* is a member of *group*; no role is a member of a group that does not exist."""
    return bool(IS_MEMBER(plpy, role, group))


def may_launch(plpy: Plpy, caller: str) -> bool:
    """Return whether *caller* may run every job: it can edit pgAgent's tables or is in pgagent_py_launcher."""
    return may_edit(plpy, caller) or is_member(plpy, caller, "pgagent_py_launcher")


def check_launch(plpy: Plpy, caller: str) -> None:
    """Raise an error unless *caller* may run a launcher."""
    if not may_launch(plpy, caller):
        raise PgAgentError(
            f"role {caller} may not run jobs",
            hint="Make it a member of pgagent_py_launcher, or grant it the tables of schema pgagent.",
            sqlstate="42501",
        )


LOCK_JOBS = Statement(
    "SELECT FROM pgagent.pga_job j WHERE j.jobid = ANY ($1) ORDER BY j.jobid FOR NO KEY UPDATE", "int4[]"
)


def check_use(plpy: Plpy, caller: str, arguments: Mapping[str, Any]) -> None:
    """Raise an error unless *caller* may have jobs, and every job, step, schedule or run in *arguments* is its own.

    Another's thing and one that does not exist give the same error. The jobs are locked, so that launchers leave them for a
    later turn. Else a launcher would wait for a row of options that an open transaction has changed, and all jobs with it.
    """
    editor = may_edit(plpy, caller)
    if not editor and not is_member(plpy, caller, "pgagent_py_user"):
        raise PgAgentError(
            f"role {caller} may not have jobs",
            hint="Make it a member of pgagent_py_user, or grant it the tables of schema pgagent.",
            sqlstate="42501",
        )
    jobs = {
        _job_of_subject(plpy, caller, editor, argument, arguments[argument])
        for argument in sorted(SUBJECTS.keys() & arguments.keys())
        if arguments[argument] is not None
    }
    if jobs:
        LOCK_JOBS(plpy, list(jobs))


class Subject(NamedTuple):
    """Something of a job that an argument names by its id: what it is, where it is found, how its job is."""

    noun: str
    table: str
    key: str
    find_job: Statement[Any]


def _subject(noun: str, table: str, key: str, job: str) -> Subject:
    """Return the subject whose job is the column *job* of pgAgent's *table*."""
    find_job = Statement(
        f"""
SELECT t.{job} AS jobid FROM pgagent.{table} t WHERE t.{key} = $1
   AND ($2 OR EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = t.{job} AND o.jobowner IS NOT NULL
                         AND pg_has_role($3, o.jobownerid, 'USAGE')))""",
        "int4",
        "bool",
        "name",
    )
    return Subject(noun, table, key, find_job)


JOB = _subject("job", "pga_job", "jobid", "jobid")
STEP = _subject("step", "pga_jobstep", "jstid", "jstjobid")
SUBJECTS = {
    "job": JOB,
    "after": JOB,
    "step": STEP,
    "from_step": STEP,
    "schedule": _subject("schedule", "pga_schedule", "jscid", "jscjobid"),
    "run": _subject("run", "pga_joblog", "jlgid", "jlgjobid"),
}


def _job_of_subject(plpy: Plpy, caller: str, editor: bool, argument: str, id_: int) -> int:
    rows = SUBJECTS[argument].find_job(plpy, id_, editor, caller)
    if not rows:
        raise missing(argument, id_)
    jobid: int = rows[0]["jobid"]
    return jobid


def missing(argument: str, id_: int | None) -> PgAgentError:
    """Return the error for a job, step, schedule or run that does not exist, or not for the role that asks."""
    subject = SUBJECTS[argument]
    return invalid(
        argument, f"{subject.noun} {id_} does not exist", f"Look at {subject.key} in pgagent.{subject.table}."
    )


MAY_BOOK = Statement(
    """
SELECT o.jobowner IS NOT NULL AS owned, pg_has_role($1, o.jobownerid, 'USAGE') AS mine
  FROM pgagent_py.job_option o WHERE o.jobid = $2""",
    "name",
    "int4",
)


def may_book(plpy: Plpy, caller: str, jobid: int) -> bool:
    """Return whether *caller* may book the success of the job's atomic step itself.

    It may if it owns the job, or if nobody does and it may run a launcher.
    """
    for row in MAY_BOOK(plpy, caller, jobid):
        if row["owned"]:
            return bool(row["mine"])
    return may_launch(plpy, caller)


REFRESH_NAMES = [
    Statement(
        f"""
UPDATE pgagent_py.job_option o SET {column} = r.rolname FROM pg_roles r
 WHERE r.oid = o.{column}id AND r.rolname <> o.{column}"""
    )
    for column in ("jobowner", "jobrunas")
]


def refresh_names(plpy: Plpy) -> None:
    """Take over the new names of roles that were renamed: the ids count, but a dump carries the names."""
    for statement in REFRESH_NAMES:
        statement(plpy)
