"""Who may do what. The caller's name comes from the view pgagent_py.request, where it can't be forged.

Who may edit pgAgent's own tables may do all that pgAdmin can. A member of pgagent_py_user may do it with the jobs that it
owns: those whose owner's rights it has. To anyone else a job looks as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import PgAgentError, invalid
from .plan import run

EDIT = """
SELECT has_schema_privilege($1, 'pgagent', 'USAGE')
   AND bool_and(has_table_privilege($1, t.name::regclass, p.privilege)) AS granted
  FROM unnest('{pgagent.pga_job,pgagent.pga_jobstep,pgagent.pga_schedule,pgagent.pga_exception}'::text[]) t (name)
 CROSS JOIN unnest('{INSERT,UPDATE,DELETE}'::text[]) p (privilege)"""


# Arguments that name something of a job: what it is, where it is found, and by which of its columns its job is.
SUBJECTS = {
    "job": ("job", "pga_job", "jobid", "t.jobid"),
    "after": ("job", "pga_job", "jobid", "t.jobid"),
    "step": ("step", "pga_jobstep", "jstid", "t.jstjobid"),
    "from_step": ("step", "pga_jobstep", "jstid", "t.jstjobid"),
    "schedule": ("schedule", "pga_schedule", "jscid", "t.jscjobid"),
    "run": ("run", "pga_joblog", "jlgid", "t.jlgjobid"),
}

LOCK_JOBS = "SELECT FROM pgagent.pga_job j WHERE j.jobid = ANY ($1) ORDER BY j.jobid FOR NO KEY UPDATE"


def may_edit(plpy: Any, caller: str) -> bool:
    """Return whether *caller* may change pgAgent's own tables: then it may do all that pgAdmin can."""
    return bool(run(plpy, EDIT, ["name"], [caller])[0]["granted"])


def check_edit(plpy: Any, caller: str) -> None:
    """Raise an error unless *caller* may change pgAgent's tables."""
    if not may_edit(plpy, caller):
        raise PgAgentError(
            f"role {caller} may not change pgagent's jobs",
            hint="Grant it INSERT, UPDATE and DELETE on the tables of schema pgagent.",
            sqlstate="42501",
        )


def is_member(plpy: Any, role: str, group: str) -> bool:
    """Return whether *role* is a member of *group*; nobody is in a group that does not exist."""
    sql = "SELECT FROM pg_roles g WHERE g.rolname = $2 AND pg_has_role($1, g.oid, 'MEMBER')"
    return bool(run(plpy, sql, ["name", "name"], [role, group]))


def may_launch(plpy: Any, caller: str) -> bool:
    """Return whether *caller* may run every job: it can edit pgAgent's tables or is in pgagent_py_launcher."""
    return may_edit(plpy, caller) or is_member(plpy, caller, "pgagent_py_launcher")


def check_launch(plpy: Any, caller: str) -> None:
    """Raise an error unless *caller* may run a launcher."""
    if not may_launch(plpy, caller):
        raise PgAgentError(
            f"role {caller} may not run jobs",
            hint="Make it a member of pgagent_py_launcher, or grant it the tables of schema pgagent.",
            sqlstate="42501",
        )


def check_use(plpy: Any, caller: str, arguments: Mapping[str, Any]) -> None:
    """Raise an error unless *caller* may have jobs, and every job, step, schedule or run in *arguments* is its own.

    Another's thing and one that does not exist give the same error. The jobs are locked: launchers leave a locked job for a
    later turn, but would wait for a row of its options that an open transaction has changed, and all other jobs with them.
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
        run(plpy, LOCK_JOBS, ["int4[]"], [list(jobs)])


def _job_of_subject(plpy: Any, caller: str, editor: bool, argument: str, id_: Any) -> int:
    _, table, key, job = SUBJECTS[argument]
    find = f"""
        SELECT {job} AS jobid FROM pgagent.{table} t WHERE t.{key} = $1
           AND ($2 OR EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = {job} AND o.jobowner IS NOT NULL
                                 AND pg_has_role($3, o.jobownerid, 'USAGE')))"""
    rows = run(plpy, find, ["int4", "bool", "name"], [id_, editor, caller])
    if not rows:
        raise missing(argument, id_)
    jobid: int = rows[0]["jobid"]
    return jobid


def missing(argument: str, id_: int | None) -> PgAgentError:
    """Return the error for a job, step, schedule or run that does not exist, or not for who asks."""
    noun, table, key, _ = SUBJECTS[argument]
    return invalid(argument, f"{noun} {id_} does not exist", f"Look at {key} in pgagent.{table}.")


def owner_may(plpy: Any, caller: str, jslid: int) -> bool:
    """Return whether *caller* may book the step log entry *jslid* itself: it owns the job, or launches one that nobody owns."""
    find = """
        SELECT o.jobowner IS NOT NULL AS owned, pg_has_role($1, o.jobownerid, 'USAGE') AS mine
          FROM pgagent.pga_jobsteplog l
          JOIN pgagent.pga_joblog r ON r.jlgid = l.jsljlgid
          LEFT JOIN pgagent_py.job_option o ON o.jobid = r.jlgjobid
         WHERE l.jslid = $2"""
    for row in run(plpy, find, ["name", "int4"], [caller, jslid]):
        return bool(row["mine"]) if row["owned"] else may_launch(plpy, caller)
    return False


def refresh_names(plpy: Any) -> None:
    """Take over the new names of roles that were renamed: the ids count, but a dump carries the names."""
    for column in ("jobowner", "jobrunas"):
        run(
            plpy,
            f"""
            UPDATE pgagent_py.job_option o SET {column} = r.rolname FROM pg_roles r
             WHERE r.oid = o.{column}id AND r.rolname <> o.{column}""",
        )
