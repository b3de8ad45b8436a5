"""Pausing classes of jobs, and limits of how many run at once. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.checks import class_id
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import NOT_OVER
from ..runs.wake import wake
from .of_roles import claim_name
from .sharing import LET_IN
from .windows import check_windows

PAUSE = Statement(
    "INSERT INTO pgagent_py.pause (jclid, paused_by, paused_from, paused_until) VALUES ($1, $2, $3, $4)",
    "int4",
    "text",
    "timestamptz",
    "timestamptz",
)
NEVER_IN_FORCE = Statement("SELECT $2 <= now() OR $2 <= $1 AS never", "timestamptz", "timestamptz")


def pause(
    plpy: Plpy, caller: str, class_: str | None = None, from_: str | None = None, until: str | None = None
) -> None:
    """Let no run start of the jobs of a class, or of any job when no class is given; runs in progress go on."""
    if NEVER_IN_FORCE(plpy, from_, until)[0]["never"]:
        raise invalid("until", f"until can't be {until}", "Give a time that is later than now and from.")
    subject = _class(plpy, class_)
    RESUME(plpy, subject)
    PAUSE(plpy, subject, caller, from_, until)
    wake(plpy)


RESUME = Statement(
    f"DELETE FROM pgagent_py.pause p WHERE p.jclid IS NOT DISTINCT FROM $1 RETURNING {NOT_OVER} AS held",
    "int4",
)
PAUSED_CLASSES = Statement(f"""
SELECT coalesce(c.jclname, 'everything') AS jclname
  FROM pgagent_py.pause p LEFT JOIN pgagent.pga_jobclass c ON c.jclid = p.jclid WHERE {NOT_OVER} ORDER BY p.paused_since""")


def resume(plpy: Plpy, caller: str, class_: str | None = None) -> None:
    """End a pause, that of everything when no class is given; jobs that have become due meanwhile run once."""
    if not any(row["held"] for row in RESUME(plpy, _class(plpy, class_))):
        rest = ", ".join(repr(row["jclname"]) for row in PAUSED_CLASSES(plpy)) or "nothing"
        what = "everything" if class_ is None else f'class "{class_}"'
        raise PgAgentError(f"{what} is not paused", hint=f"Paused: {rest}.", sqlstate="55000")
    wake(plpy)


PRESENT = """l.jclid IS NOT DISTINCT FROM $1 AND l.jobgroup IS NOT DISTINCT FROM $2
   AND l.jobownerid IS NOT DISTINCT FROM (SELECT r.oid FROM pg_roles r WHERE r.rolname = $3)"""
READ_LIMIT = Statement(
    f"SELECT l.running, l.priority, l.jobwindow FROM pgagent_py.job_limit l WHERE {PRESENT}",
    "int4",
    "text",
    "name",
)
FORGET_LIMIT = Statement(f"DELETE FROM pgagent_py.job_limit l WHERE {PRESENT}", "int4", "text", "name")
CHANGE_LIMIT = Statement(
    f"UPDATE pgagent_py.job_limit l SET running = $4, priority = $5, jobwindow = $6 WHERE {PRESENT}",
    "int4",
    "text",
    "name",
    "int4",
    "int4",
    "text",
)
SET_LIMIT = Statement(
    "INSERT INTO pgagent_py.job_limit (jclid, jobgroup, jobowner, running, priority, jobwindow) VALUES ($1, $2, $3, $4, $5, $6)",
    "int4",
    "text",
    "name",
    "int4",
    "int4",
    "text",
)


def set_limit(
    plpy: Plpy,
    caller: str,
    class_: str | None = None,
    group: str | None = None,
    running: int | None = None,
    owner: str | None = None,
    priority: int | None = None,
    window: str | None = None,
) -> None:
    """Let at most *running* jobs of a class, a group or an owner run at once, all launchers together; 0: any number.

    *priority* orders owners, *window* is that of a class. None leaves as it is, or takes the limit back when it stands alone.
    """
    _check_limit(class_, group, owner, running, priority)
    if window is not None:
        if class_ is None:
            raise invalid("window", "window is given, but no class", "See also alter_job().")
        window = check_windows(plpy, "window", window)
    if owner is not None:
        claim_name(plpy, "job_limit", "owner", owner)
    subject = _class(plpy, class_), group, owner
    before = READ_LIMIT(plpy, *subject)
    if running == 0 and priority is None and window is None and not before:
        hint = "There is no limit to take back. Give 1 or more; see also pause()."
        raise invalid("running", "running can't be 0", hint)
    if window is None and before:
        window = before[0]["jobwindow"]
    elif running is None and before:
        running = before[0]["running"]
    if running is None and priority is not None and before:
        running = before[0]["running"]
    if priority is None and before and running is not None:
        priority = before[0]["priority"]
    if running or priority or window:
        put = CHANGE_LIMIT if before else SET_LIMIT
        put(plpy, *subject, running or None, priority or None, window or None)
    else:
        FORGET_LIMIT(plpy, *subject)
    wake(plpy)


def _check_limit(
    class_: str | None, group: str | None, owner: str | None, running: int | None, priority: int | None
) -> None:
    given = {"class": class_, "group": group, "owner": owner}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        hint = "Give class => '...', \"group\" => '...' or owner => '...'."
        problem = (
            "neither class nor group nor owner is" if not named else f"both {named[0]} and {named[1]} are"
        )
        raise invalid("class", f"{problem} given", hint)
    if group == "":
        raise invalid("group", "group is empty", "Give the name that alter_job has given to jobs.")
    if running is not None and running < 0:
        hint = "Give 1 or more, or 0 for any number; see also pause()."
        raise invalid("running", f"running can't be {running}", hint)
    if priority is not None and owner is None:
        raise invalid(
            "priority", "priority is given, but no owner", "It orders owners. See also alter_job()."
        )


FORGET_GRANT = Statement(
    """
DELETE FROM pgagent_py.group_grant g
 WHERE g.jobgroup = $1 AND g.jobownerid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = $2)""",
    "text",
    "name",
)


def grant_group(
    plpy: Plpy, caller: str, group: str | None = None, role: str | None = None, granted: bool | None = None
) -> None:
    """Let *role* put its jobs into *group*, or no longer if *granted* is false."""
    if not group:
        raise invalid("group", "group is empty", "Give the name of a group.")
    if role is None:
        raise invalid("role", "role is missing", "Give the name of a role.")
    claim_name(plpy, "group_grant", "role", role)
    change = FORGET_GRANT if granted is False else LET_IN
    change(plpy, group, role)


def _class(plpy: Plpy, name: str | None) -> int | None:
    return None if name is None else class_id(plpy, "class", name)
