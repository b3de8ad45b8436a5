"""Jobs and runs by what people call them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from .errors import CommandError
from .output import plain
from .session import Row, Session

FIND = """
SELECT v.jobid, v.jobname, v.jobenabled, v.jobrunning FROM pgagent_py.visible_job v
 WHERE v.jobname = %s ORDER BY v.jobid LIMIT 11"""
FIND_ID = (
    "SELECT v.jobid, v.jobname, v.jobenabled, v.jobrunning FROM pgagent_py.visible_job v WHERE v.jobid = %s"
)
SIMILAR = """
SELECT v.jobname FROM pgagent_py.visible_job v
 WHERE strpos(lower(v.jobname), lower(%s)) > 0 OR strpos(lower(%s), lower(v.jobname)) > 0 ORDER BY 1 LIMIT 3"""
MOST_ID = 2**31


def find_job(session: Session, name: str) -> Row:
    """Return the job of this name, else of this id: jobid, jobname, jobenabled, jobrunning."""
    found = session.rows(FIND, name)
    if len(found) > 1:
        ids = ", ".join(str(row["jobid"]) for row in found)
        raise CommandError(
            f'several jobs are called "{plain(name)}"', f"Give an id instead of the name: {ids}"
        )
    if not found and is_id(name):
        found = session.rows(FIND_ID, int(name))
    if not found:
        raise no_job(session, name)
    return found[0]


def is_id(text: str) -> bool:
    """Return whether this can be an id."""
    return text.isascii() and text.isdigit() and int(text) < MOST_ID


def no_job(session: Session, name: str) -> CommandError:
    """Return the error for a job that is not there, or not to be seen."""
    similar = [plain(row["jobname"]) for row in session.rows(SIMILAR, name, name)]
    hint = f"Did you mean {' or '.join(similar)}?" if similar else "pgagentctl jobs lists them."
    return CommandError(f'there is no job "{plain(name)}"', hint)


# The first page by a limit of its own: few rows of many are found sooner than all are sorted.
BY_NAME = """
SELECT v.jobid, v.jobname FROM pgagent_py.visible_job v
 WHERE (%(part)s::text IS NULL OR strpos(lower(v.jobname), lower(%(part)s)) > 0)"""
FIRST_JOBS = f"{BY_NAME} ORDER BY v.jobname, v.jobid LIMIT %(size)s"
MORE_JOBS = f"{BY_NAME} AND (v.jobname, v.jobid) > (%(jobname)s, %(jobid)s) ORDER BY v.jobname, v.jobid"


def pages_of_jobs(
    session: Session, part: str | None = None, size: int = 200, growth: int = 1
) -> Iterator[list[int]]:
    """Yield the ids of all jobs by name, those with this *part* in their name, in pages of *size*, which grow."""
    connection, values = session.connection, {"part": part, "size": size}
    page = connection.execute(FIRST_JOBS.encode(), values).fetchall()
    if page:
        yield [row["jobid"] for row in page]
    if len(page) < size:
        return
    with connection.transaction(), connection.cursor("jobs") as cursor:
        cursor.execute(MORE_JOBS.encode(), values | page[-1])
        while page := cursor.fetchmany(size := size * growth):
            yield [row["jobid"] for row in page]


RUN = "SELECT r.* FROM pgagent_py.visible_run r WHERE r.jlgid = %s"
LAST_RUN = "SELECT r.* FROM pgagent_py.visible_run r WHERE r.jobid = %s ORDER BY r.jlgid DESC LIMIT 1"
LAST_BAD = """
SELECT r.* FROM pgagent_py.visible_run r
 WHERE r.jobid = %s AND r.run_status IN ('failure', 'aborted') ORDER BY r.jlgid DESC LIMIT 1"""


def find_run(session: Session, text: str, bad: bool = False) -> Row:
    """Return a run by its number, or the last run (*bad*: the last that failed) of the job of this name."""
    if is_id(text):
        if found := session.rows(RUN, int(text)):
            return found[0]
        raise CommandError(
            f"there is no run {text}", "pgagentctl runs lists them. To name a job, give its name."
        )
    job = find_job(session, text)
    found = session.rows(LAST_BAD if bad else LAST_RUN, job["jobid"])
    if not found:
        what = "no failed run" if bad else "no run"
        raise CommandError(f'job "{plain(text)}" has {what}', "pgagentctl runs lists all runs.")
    return found[0]


def complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the names of jobs that begin so, for the shell."""
    top = ctx.find_root()
    session = Session(top.params.get("conninfo") or "")
    try:
        query = "SELECT v.jobname FROM pgagent_py.visible_job v WHERE starts_with(v.jobname, %s) ORDER BY 1 LIMIT 100"
        return [row["jobname"] for row in session.rows(query, incomplete) if row["jobname"].isprintable()]
    except Exception:  # the shell is no place for errors
        return []
    finally:
        session.close()
