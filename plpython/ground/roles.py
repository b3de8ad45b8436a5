"""Who may do what. The caller's name comes from the view pgagent_py.request, where it can't be forged.

Who may edit pgAgent's own tables may do all that pgAdmin can. A member of pgagent_py_user may do it with the jobs that it
owns: those whose owner's rights it has. To anyone else a job looks as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import PgAgentError, invalid
from .plan import run

EDIT = """
SELECT has_schema_privilege($1, 'pgagent', 'USAGE')
   AND bool_and(has_table_privilege($1, t.name::regclass, p.privilege)) AS granted
  FROM unnest('{pgagent.pga_job,pgagent.pga_jobstep,pgagent.pga_schedule,pgagent.pga_exception}'::text[]) t (name)
 CROSS JOIN unnest('{INSERT,UPDATE,DELETE}'::text[]) p (privilege)"""

# The memberships that count: what a role could SET ROLE to. From PostgreSQL 16 on, a membership may be without that right.
MEMBER = "CASE WHEN current_setting('server_version_num')::int4 < 160000 THEN 'MEMBER' ELSE 'SET' END"

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


def own_new_job(plpy: Any, caller: str, job: int) -> None:
    """Make *caller* the owner of the new *job*, unless it can edit pgAgent's tables: then nobody owns it."""
    if not may_edit(plpy, caller):
        # The trigger _resolve_roles finds the role's id.
        run(
            plpy,
            "INSERT INTO pgagent_py.job_option (jobid, jobowner) VALUES ($1, $2)",
            ["int4", "name"],
            [job, caller],
        )


def set_roles(plpy: Any, caller: str, job: int, owner: str | None, run_as: str | None) -> None:
    """Change owner and run_as of *job*; None leaves as it is, '' means nobody (only who can edit pgAgent's tables), the owner."""
    if owner == "":
        check_edit(plpy, caller)
        owner_id = None
    elif owner is not None:
        owner_id = _role_id(plpy, "owner", owner)
        _check_may_give(plpy, caller, owner)
    if run_as:
        run_as_id = _role_id(plpy, "run_as", run_as)
    elif run_as is not None or owner == "":
        run_as, run_as_id = "", None
    run(plpy, "INSERT INTO pgagent_py.job_option (jobid) VALUES ($1) ON CONFLICT DO NOTHING", ["int4"], [job])
    update = "UPDATE pgagent_py.job_option SET {0} = nullif($2, ''), {0}id = $3 WHERE jobid = $1"
    # run_as is valid only beside an owner: it goes first, and comes last.
    types = ["int4", "text", "oid"]
    if run_as == "":
        run(plpy, update.format("jobrunas"), types, [job, run_as, run_as_id])
    if owner is not None:
        run(plpy, update.format("jobowner"), types, [job, owner, owner_id])
    if run_as:
        _check_has_owner(plpy, job)
        run(plpy, update.format("jobrunas"), types, [job, run_as, run_as_id])
    check_code(plpy, job, "owner" if run_as is None else "run_as")


def _role_id(plpy: Any, argument: str, name: str) -> int:
    find = "SELECT r.oid::int8 AS oid, r.rolcanlogin FROM pg_roles r WHERE r.rolname = $1"
    rows = run(plpy, find, ["text"], [name])
    if not rows:
        raise invalid(argument, f'{argument}: role "{name}" does not exist', "Give the name of a role.")
    if argument == "run_as" and not rows[0]["rolcanlogin"]:
        raise invalid(
            argument, f'{argument}: role "{name}" is not permitted to log in', "Give a role with LOGIN."
        )
    id_: int = rows[0]["oid"]
    return id_


def _check_may_give(plpy: Any, caller: str, owner: str) -> None:
    if not run(plpy, f"SELECT WHERE pg_has_role($1, $2, {MEMBER})", ["name", "name"], [caller, owner]):
        raise PgAgentError(
            f"owner: role {caller} is not a member of role {owner}",
            hint="Who gives a job away must be a member of the role that gets it.",
            sqlstate="42501",
        )


def _check_has_owner(plpy: Any, job: int) -> None:
    sql = "SELECT FROM pgagent_py.job_option o WHERE o.jobid = $1 AND o.jobowner IS NOT NULL"
    if not run(plpy, sql, ["int4"], [job]):
        raise invalid("run_as", f"run_as is given, but job {job} has no owner", "Give owner too.")


def check_code(plpy: Any, job: int | None, argument: str) -> None:
    """Raise an error that names *argument* if *job* has an owner and holds what its role does not allow."""
    find = """
        SELECT r.refused, r.refused_batch, r.roleid <> r.ownerid AS other,
               bool_or(s.jstkind = 'b') AS batch, bool_or(s.jstconnstr <> '') AS remote, bool_or(so.jstatomic) AS atomic
          FROM pgagent_py.job_role r
          LEFT JOIN pgagent.pga_jobstep s ON s.jstjobid = r.jobid
          LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
         WHERE r.jobid = $1 GROUP BY 1, 2, 3"""
    for row in run(plpy, find, ["int4"], [job]):
        refused = row["refused"] or (row["batch"] and row["refused_batch"])
        if refused:
            hint = "See docs/roles.md for what the owner of a job may do."
            raise PgAgentError(f"{argument}: {refused}", hint=hint, sqlstate="42501")
        if row["remote"]:
            raise invalid(
                argument,
                f"{argument}: steps of a job with an owner can't have a connstr",
                "It would be opened with the launcher's own files and rights; give database, or use dblink in sql.",
            )
        if row["atomic"] and row["other"]:
            raise invalid(
                argument,
                f"{argument}: an atomic step runs as the job's owner, not as run_as",
                "The role that executes it must be able to book it.",
            )


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


RUN_AS = (
    "SELECT r.jobid, r.role, r.refused, r.refused_batch FROM pgagent_py.job_role r WHERE r.jobid = ANY ($1)"
)


def set_run_as(plpy: Any, steps: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Put the role's present name into jobrunas of the *steps* that have one; return why some may not run, by jslid."""
    owned = [step for step in steps if step["jobrunas"] is not None]
    if not owned:
        return {}
    rows = run(plpy, RUN_AS, ["int4[]"], [[step["jobid"] for step in owned]])
    roles = {row["jobid"]: row for row in rows}
    reasons = {}
    for step in owned:
        role = roles[step["jobid"]]
        step["jobrunas"] = role["role"]
        reason = role["refused"] or (step["jstkind"] == "b" and role["refused_batch"])
        if reason:
            reasons[step["jslid"]] = reason
    return reasons


def refresh_names(plpy: Any) -> None:
    """Take over the new names of roles that were renamed: the ids count, but a dump carries the names."""
    for column in ("jobowner", "jobrunas"):
        run(
            plpy,
            f"""
            UPDATE pgagent_py.job_option o SET {column} = r.rolname FROM pg_roles r
             WHERE r.oid = o.{column}id AND r.rolname <> o.{column}""",
        )
