"""Which role may do what. The caller's name comes from the view pgagent_py.request, where it can't be forged.

A role that may edit pgAgent's own tables may do all that pgAdmin can. A member of pgagent_py_user may do it with the jobs that
it owns: those whose owner's rights it has. A member of pgagent_py_operator may do a few things with every job. A role that sees a
job and may not do this with it is told so. To any other role the job looks as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from .errors import PgAgentError, invalid
from .plan import Statement
from .plpy import Plpy
from .vocabulary import CHANGES, EDITED, MONITOR, OPERATOR

# Whether role {0} may edit pgAgent's tables.
EDITS = (
    "(has_schema_privilege({0}, 'pgagent', 'USAGE')"
    + "".join(
        f" AND has_table_privilege({{0}}, 'pgagent.{table}'::regclass, '{change}')"
        for table in EDITED
        for change in CHANGES
    )
    + ")"
)
MAY_EDIT = Statement(f"SELECT {EDITS.format('$1')} AS granted", "name")


def may_edit(plpy: Plpy, caller: str) -> bool:
    """Return whether *caller* may change pgAgent's own tables: then it may do all that pgAdmin can."""
    return bool(MAY_EDIT(plpy, caller)[0]["granted"])


def check_edit(plpy: Plpy, caller: str, *, operated: bool = False) -> None:
    """Raise an error unless *caller* may change pgAgent's tables. *operated*: being an operator would be enough, too."""
    if not may_edit(plpy, caller):
        hint = "Grant it INSERT, UPDATE and DELETE on the tables of schema pgagent."
        if operated:
            hint = f"Make it a member of {OPERATOR}, or grant it the tables of schema pgagent."
        raise PgAgentError(
            f"role {caller} may not change pgagent's jobs",
            hint=hint,
            sqlstate="42501",
        )


# Not by pg_roles: a transaction with an old snapshot would find a role that had this name once.
IS_MEMBER = Statement(
    "SELECT FROM to_regrole(quote_ident($2)) g (role) WHERE pg_has_role($1, g.role, 'MEMBER')", "name", "text"
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
LOCK_OPTIONS = Statement(
    "SELECT FROM pgagent_py.job_option o WHERE o.jobid = ANY ($1) ORDER BY o.jobid FOR NO KEY UPDATE",
    "int4[]",
)


def is_operator(plpy: Plpy, caller: str) -> bool:
    """Return whether *caller* may run, cancel, pause, enable and disable every job."""
    return is_member(plpy, caller, OPERATOR)


def check_use(plpy: Plpy, caller: str, arguments: Mapping[str, Any], *, operated: bool = False) -> None:
    """Raise an error unless *caller* may have jobs, and every job, step, schedule or run in *arguments* is its own.

    *operated*: this is one of the calls that an operator may make for every job.

    Another's thing and one that does not exist give the same error. The jobs are locked, and then it is looked again: while
    the call waited for the lock, the job may have become another's. Launchers leave locked jobs for a later turn. Else a
    launcher would wait for a row of options that an open transaction has changed, and all jobs with it.
    """
    locked: set[int] = set()
    while not (jobs := _check_jobs(plpy, caller, arguments, operated)) <= locked:
        lock_jobs(plpy, jobs)
        locked |= jobs


def lock_jobs(plpy: Plpy, jobs: Collection[int]) -> None:
    """Lock *jobs* and their options until the transaction ends.

    A transaction with an old snapshot gets a serialization failure if one of them has changed after it. That holds for an
    owner that was given or taken, too: the trigger job_option_note makes a new version of the job's row.
    """
    LOCK_JOBS(plpy, list(jobs))
    LOCK_OPTIONS(plpy, list(jobs))
    _see_grants(plpy)


class _UndoError(Exception):
    """Leave a subtransaction."""


# A table that no other statement of a session names.
LOOK = "LOCK TABLE pgagent_py.kept_right IN ACCESS SHARE MODE"


def _see_grants(plpy: Plpy) -> None:
    """See rights that were taken away while this statement waited: the server takes note of them when it locks a table anew."""
    try:
        with plpy.subtransaction():
            plpy.execute(LOOK)
            raise _UndoError
    except _UndoError:
        pass


def _check_jobs(plpy: Plpy, caller: str, arguments: Mapping[str, Any], operated: bool) -> set[int]:
    """Return the jobs that *arguments* name. Raise an error unless *caller* may have jobs, and they are its own."""
    every = may_edit(plpy, caller) or (operated and is_operator(plpy, caller))
    named = {name: arguments[name] for name in sorted(SUBJECTS) if arguments.get(name) is not None}
    if not every and not is_member(plpy, caller, "pgagent_py_user"):
        for argument, id_ in named.items():
            _refuse_seen(plpy, caller, argument, id_)
        raise PgAgentError(
            f"role {caller} may not have jobs",
            hint="Make it a member of pgagent_py_user, or grant it the tables of schema pgagent.",
            sqlstate="42501",
        )
    return {_job_of_subject(plpy, caller, every, argument, id_) for argument, id_ in named.items()}


class Subject(NamedTuple):
    """Something of a job that an argument names by its id: what it is, where it is found, how its job is."""

    noun: str
    table: str
    key: str
    find_job: Statement[Any]


def _subject(noun: str, table: str, key: str, job: str, source: str = "") -> Subject:
    """Return the subject whose job is the column *job* of pgAgent's *table*, or of *source*, which has all of them."""
    find_job = Statement(
        f"""
SELECT t.{job} AS jobid FROM {source or f"pgagent.{table}"} t WHERE t.{key} = $1
   AND ($2 OR EXISTS (SELECT FROM pgagent_py.job_owner o WHERE o.jobid = t.{job} AND pg_has_role($3, o.jobownerid, 'USAGE')))""",
        "int4",
        "bool",
        "name",
    )
    return Subject(noun, table, key, find_job)


JOB = _subject("job", "pga_job", "jobid", "jobid")
STEP = _subject("step", "pga_jobstep", "jstid", "jstjobid")
EXCEPTIONS = """(
    SELECT e.jexid, s.jscjobid FROM pgagent_py.every_exception e JOIN pgagent.pga_schedule s ON s.jscid = e.jexscid)"""
SUBJECTS = {
    "job": JOB,
    "after": JOB,
    "step": STEP,
    "from_step": STEP,
    "only_step": STEP,
    "schedule": _subject("schedule", "pga_schedule", "jscid", "jscjobid"),
    "exception": _subject("exception", "pga_exception", "jexid", "jscjobid", EXCEPTIONS),
    "run": _subject("run", "pga_joblog", "jlgid", "jlgjobid"),
    "backfill": _subject("backfill", "pga_job", "bflid", "jobid", "pgagent_py.backfill"),
}


def _job_of_subject(plpy: Plpy, caller: str, every: bool, argument: str, id_: int) -> int:
    rows = SUBJECTS[argument].find_job(plpy, id_, every, caller)
    if not rows:
        _refuse_seen(plpy, caller, argument, id_)
        raise missing(argument, id_)
    jobid: int = rows[0]["jobid"]
    return jobid


# As the views have it (macros/visible.j2): $1 role, $2 table.
SEES = Statement(
    f"""
SELECT FROM unnest('{{{MONITOR},{OPERATOR}}}'::text[]) g (name)
 WHERE has_table_privilege($1, $2::regclass, 'SELECT') OR pg_has_role($1, to_regrole(g.name), 'MEMBER')""",
    "name",
    "text",
)


def _refuse_seen(plpy: Plpy, caller: str, argument: str, id_: int) -> None:
    """Raise an error if *caller* sees this thing: it is not its own, and to say that it does not exist would mislead."""
    subject = SUBJECTS[argument]
    if SEES(plpy, caller, f"pgagent.{subject.table}") and subject.find_job(plpy, id_, True, caller):
        raise PgAgentError(
            f"role {caller} may see {subject.noun} {id_}, and not change or run it",
            hint="It takes the rights of the job's owner; to run, cancel, enable or disable it, pgagent_py_operator is enough.",
            sqlstate="42501",
        )


def missing(argument: str, id_: int | None) -> PgAgentError:
    """Return the error for a job, step, schedule or run that does not exist, or not for the role that asks."""
    subject = SUBJECTS[argument]
    view = f"{subject.key} in the view pgagent_py.visible_{subject.noun}"
    place = view if argument != "backfill" else "the view pgagent_py.backfills"
    return invalid(argument, f"{subject.noun} {id_} does not exist", f"Look at {place}.")


MAY_BOOK = Statement(
    """
SELECT w.jobid IS NOT NULL AS owned, pg_has_role($1, w.jobownerid, 'USAGE') AS mine
  FROM pgagent_py.job_option o LEFT JOIN pgagent_py.job_owner w ON w.jobid = o.jobid WHERE o.jobid = $2 FOR SHARE OF o""",
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


# What a session has locked is left. In a transaction with an old snapshot pg_roles may have a name that is another role's by now.
# $1 jobs, NULL: all.
REFRESH_NAMES = [
    Statement(
        f"""
UPDATE pgagent_py.job_option o SET {column} = r.rolname FROM pg_roles r
 WHERE r.oid = o.{column}id
   AND o.jobid = ANY (ARRAY(
       SELECT l.jobid FROM pgagent_py.job_option l
         JOIN pgagent_py.job_owner k ON k.jobid = ANY (ARRAY[l.jobid]) JOIN pg_roles n ON n.oid = k.{column}id
        WHERE n.rolname <> l.{column} AND to_regrole(quote_ident(n.rolname)) = n.oid
          AND ($1 IS NULL OR l.jobid = ANY ($1))
          FOR NO KEY UPDATE OF l SKIP LOCKED))""",
        "int4[]",
    )
    for column in ("jobowner", "jobrunas")
]


def refresh_names(plpy: Plpy, jobs: Sequence[int] | None = None) -> None:
    """Take over the new names of roles that were renamed: the ids count, but a dump carries the names. None: of all jobs."""
    for statement in REFRESH_NAMES:
        statement(plpy, jobs)


NOTE_CODE = Statement(
    """
UPDATE pgagent.pga_job j SET jobid = j.jobid FROM pgagent_py.job_option o
 WHERE j.jobid = $1 AND o.jobid = j.jobid AND o.jobowner IS NOT NULL""",
    "int4",
)


def note_code(plpy: Plpy, job: int | None) -> None:
    """Make a new version of the row of an owned *job* whose steps have changed.

    So a transaction with an older snapshot can't give away with the job what it does not see.
    """
    NOTE_CODE(plpy, job)
