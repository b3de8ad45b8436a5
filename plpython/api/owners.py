"""Owners of jobs: who gets one, and what the role that it runs as does not allow."""

from __future__ import annotations

from ..ground.bounds import check_count
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import check_edit, may_edit
from ..ground.vocabulary import MEMBER
from .options import NAME, Column, Options

# The trigger _resolve_roles finds the role's id.
OWNED = Options("pgagent_py.job_option", "jobid", Column("jobowner", NAME))


def check_new_job(
    plpy: Plpy, caller: str, job: int, owned: bool, batch: bool, steps: int, schedules: int
) -> None:
    """Check what *caller* has added, unless it may edit pgAgent's tables: else it owns the new *job*, and has bounds.

    Its rights are looked at again: the statement that has added the job may have waited for another transaction.
    """
    if may_edit(plpy, caller):
        return
    if not owned:
        OWNED.write(plpy, job, {"jobowner": caller})
    if batch:
        check_code(plpy, job, "batch")
    check_count(plpy, job, jobs=1, steps=steps, schedules=schedules)


MAKE_ROW = Statement("INSERT INTO pgagent_py.job_option (jobid) VALUES ($1) ON CONFLICT DO NOTHING", "int4")
SET_OWNER = Statement(
    "UPDATE pgagent_py.job_option o SET jobowner = nullif($2, ''), jobownerid = $3 WHERE o.jobid = $1",
    "int4",
    "text",
    "oid",
)
SET_RUN_AS = Statement(
    "UPDATE pgagent_py.job_option o SET jobrunas = nullif($2, ''), jobrunasid = $3 WHERE o.jobid = $1",
    "int4",
    "text",
    "oid",
)


def set_roles(plpy: Plpy, caller: str, job: int | None, owner: str | None, run_as: str | None) -> None:
    """Change owner and run_as of *job*; None leaves as it is.

    '' means nobody for owner, which only a role that can edit pgAgent's tables may say, and the owner for run_as.
    """
    owner_id = run_as_id = None
    if owner == "":
        check_edit(plpy, caller)
        run_as = run_as or ""
    elif owner is not None:
        owner_id = _role_id(plpy, "owner", owner)
        _check_may_give(plpy, caller, owner, owner_id)
    if run_as:
        run_as_id = _role_id(plpy, "run_as", run_as)
    MAKE_ROW(plpy, job)
    # run_as is valid only beside an owner: it goes first, and comes last.
    if run_as == "":
        SET_RUN_AS(plpy, job, "", None)
    if owner is not None:
        SET_OWNER(plpy, job, owner, owner_id)
    if run_as:
        _check_has_owner(plpy, job)
        SET_RUN_AS(plpy, job, run_as, run_as_id)
    check_code(plpy, job, "owner" if run_as is None else "run_as")


# Not by pg_roles alone: a transaction with an old snapshot would find a role that had this name once.
FIND_ROLE = Statement(
    """
SELECT g.role::oid::int8 AS oid, coalesce(r.rolcanlogin, true) AS rolcanlogin
  FROM to_regrole(quote_ident($1)) g (role) LEFT JOIN pg_roles r ON r.oid = g.role WHERE g.role IS NOT NULL""",
    "text",
)


def _role_id(plpy: Plpy, argument: str, name: str) -> int:
    rows = FIND_ROLE(plpy, name)
    if not rows:
        raise invalid(argument, f'{argument}: role "{name}" does not exist', "Give the name of a role.")
    if argument == "run_as" and not rows[0]["rolcanlogin"]:
        message = f'{argument}: role "{name}" is not permitted to log in'
        raise invalid(argument, message, "Give a role with LOGIN.")
    id_: int = rows[0]["oid"]
    return id_


IS_MEMBER = Statement(f"SELECT WHERE pg_has_role($1, $2, {MEMBER})", "name", "oid")


def _check_may_give(plpy: Plpy, caller: str, owner: str, owner_id: int) -> None:
    if not IS_MEMBER(plpy, caller, owner_id):
        raise PgAgentError(
            f"owner: role {caller} is not a member of role {owner}",
            hint="Who gives a job away must be a member of the role that gets it.",
            sqlstate="42501",
        )


HAS_OWNER = Statement(
    "SELECT FROM pgagent_py.job_option o WHERE o.jobid = $1 AND o.jobowner IS NOT NULL", "int4"
)


def _check_has_owner(plpy: Plpy, job: int | None) -> None:
    if not HAS_OWNER(plpy, job):
        raise invalid("run_as", f"run_as is given, but job {job} has no owner", "Give owner too.")


FIND_CODE = Statement(
    """
    SELECT r.refused, r.refused_batch, r.roleid <> r.ownerid AS other,
           bool_or(s.jstkind = 'b') AS batch, bool_or(s.jstconnstr <> '') AS remote, bool_or(so.jstatomic) AS atomic
      FROM pgagent_py.job_role r
      LEFT JOIN pgagent.pga_jobstep s ON s.jstjobid = r.jobid
      LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
     WHERE r.jobid = $1 GROUP BY 1, 2, 3""",
    "int4",
)


def check_code(plpy: Plpy, job: int | None, argument: str) -> None:
    """Raise an error that names *argument* if *job* has an owner and holds what its role does not allow."""
    for row in FIND_CODE(plpy, job):
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
