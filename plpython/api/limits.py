"""Pausing classes of jobs, and limits of how many run at once. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from typing import Any

from ..ground.checks import class_id
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..runs.wake import wake


def pause(plpy: Any, caller: str, class_: str | None = None) -> None:
    """Let no run start of the jobs of a class, or of any job when no class is given; what is running goes on."""
    insert = "INSERT INTO pgagent_py.pause (jclid, paused_by) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    run(plpy, insert, ["int4", "text"], [_class(plpy, class_), caller])


def resume(plpy: Any, caller: str, class_: str | None = None) -> None:
    """End a pause, that of everything when no class is given; jobs that have become due meanwhile run once."""
    delete = "DELETE FROM pgagent_py.pause p WHERE p.jclid IS NOT DISTINCT FROM $1 RETURNING p.jclid"
    if not run(plpy, delete, ["int4"], [_class(plpy, class_)]):
        rest = ", ".join(repr(row["jclname"]) for row in run(plpy, PAUSED_CLASSES)) or "nothing"
        what = "everything" if class_ is None else f'class "{class_}"'
        raise PgAgentError(f"{what} is not paused", hint=f"Paused: {rest}.", sqlstate="55000")
    wake(plpy)


PAUSED_CLASSES = """
SELECT coalesce(c.jclname, 'everything') AS jclname
  FROM pgagent_py.pause p LEFT JOIN pgagent.pga_jobclass c ON c.jclid = p.jclid ORDER BY p.paused_since"""


def set_limit(
    plpy: Any, caller: str, class_: str | None = None, group: str | None = None, running: int | None = None
) -> None:
    """Let at most *running* jobs of a class or of a group run at once, all launchers together; None: any number."""
    if (class_ is None) == (group is None):
        given = "neither class nor group is" if class_ is None else "both class and group are"
        raise invalid("class", f"{given} given", "Give class => '...' or \"group\" => '...'.")
    if group == "":
        raise invalid("group", "group is empty", "Give the name that alter_job has given to jobs.")
    if running is not None and running < 1:
        raise invalid(
            "running",
            f"running can't be {running}",
            "Give 1 or more, or NULL for any number; see also pause().",
        )
    values = [_class(plpy, class_), group, running]
    delete = "DELETE FROM pgagent_py.job_limit l WHERE l.jclid = $1 OR l.jobgroup = $2"
    run(plpy, delete, ["int4", "text"], values[:2])
    if running is not None:
        insert = "INSERT INTO pgagent_py.job_limit (jclid, jobgroup, running) VALUES ($1, $2, $3)"
        run(plpy, insert, ["int4", "text", "int4"], values)
    wake(plpy)


def _class(plpy: Any, name: str | None) -> int | None:
    return None if name is None else class_id(plpy, name)
