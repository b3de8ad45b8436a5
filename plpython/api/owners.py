"""Owners of jobs: who gets one, and what the role that it runs as does not allow."""

from __future__ import annotations

from typing import Any

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.roles import check_edit, may_edit
from ..ground.vocabulary import MEMBER


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
