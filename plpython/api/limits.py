"""Pausing classes of jobs, and limits of how many run at once. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.checks import class_id
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..runs.wake import wake

PAUSE = Statement(
    "INSERT INTO pgagent_py.pause (jclid, paused_by) VALUES ($1, $2) ON CONFLICT DO NOTHING", "int4", "text"
)


def pause(plpy: Plpy, caller: str, class_: str | None = None) -> None:
    """Let no run start of the jobs of a class, or of any job when no class is given; runs in progress go on."""
    PAUSE(plpy, _class(plpy, class_), caller)


RESUME = Statement(
    "DELETE FROM pgagent_py.pause p WHERE p.jclid IS NOT DISTINCT FROM $1 RETURNING p.jclid", "int4"
)
PAUSED_CLASSES = Statement("""
SELECT coalesce(c.jclname, 'everything') AS jclname
  FROM pgagent_py.pause p LEFT JOIN pgagent.pga_jobclass c ON c.jclid = p.jclid ORDER BY p.paused_since""")


def resume(plpy: Plpy, caller: str, class_: str | None = None) -> None:
    """End a pause, that of everything when no class is given; jobs that have become due meanwhile run once."""
    if not RESUME(plpy, _class(plpy, class_)):
        rest = ", ".join(repr(row["jclname"]) for row in PAUSED_CLASSES(plpy)) or "nothing"
        what = "everything" if class_ is None else f'class "{class_}"'
        raise PgAgentError(f"{what} is not paused", hint=f"Paused: {rest}.", sqlstate="55000")
    wake(plpy)


FORGET_LIMIT = Statement(
    "DELETE FROM pgagent_py.job_limit l WHERE l.jclid = $1 OR l.jobgroup = $2", "int4", "text"
)
SET_LIMIT = Statement(
    "INSERT INTO pgagent_py.job_limit (jclid, jobgroup, running) VALUES ($1, $2, $3)", "int4", "text", "int4"
)


def set_limit(
    plpy: Plpy, caller: str, class_: str | None = None, group: str | None = None, running: int | None = None
) -> None:
    """Let at most *running* jobs of a class or of a group run at once, all launchers together; None: any number."""
    if (class_ is None) == (group is None):
        given = "neither class nor group is" if class_ is None else "both class and group are"
        raise invalid("class", f"{given} given", "Give class => '...' or \"group\" => '...'.")
    if group == "":
        raise invalid("group", "group is empty", "Give the name that alter_job has given to jobs.")
    if running is not None and running < 1:
        hint = "Give 1 or more, or NULL for any number; see also pause()."
        raise invalid("running", f"running can't be {running}", hint)
    jclid = _class(plpy, class_)
    FORGET_LIMIT(plpy, jclid, group)
    if running is not None:
        SET_LIMIT(plpy, jclid, group, running)
    wake(plpy)


def _class(plpy: Plpy, name: str | None) -> int | None:
    return None if name is None else class_id(plpy, "class", name)
