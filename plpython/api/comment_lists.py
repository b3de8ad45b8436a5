"""The @ lines that are no option of one column: dependencies, messages, calendars, and what stands for sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import may_edit
from ..ground.vocabulary import ENDS
from .calendars import DETACH
from .comment_lines import Line, split_when
from .dependencies import DROP as DROP_DEPENDENCY
from .dependencies import FORGET_MET
from .messages import DROP as DROP_MESSAGE
from .messages import KINDS


class Comment(Protocol):
    """What is asked of a comment (comments.py): the job or schedule that it is of, the role that has written it."""

    plpy: Plpy
    caller: str
    id: int

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Call a verb as that role."""


# What comment_line has beside the text of the line: the awaited job's name, the end that counts, the job.
Kept = tuple[Any, ...]


class Word(NamedTuple):
    """A name of such lines.

    *tables*: those that they change. *put* sets what a line says, *take_back* takes it back, given the job that the line found.
    *note*, for a line that an import has brought, sets nothing. *put* and *note* return what is kept beside the line. *only* is
    what two lines may not have in common. *listed*: a line may have several values.
    """

    tables: tuple[str, ...]
    put: Callable[[Comment, Line], Kept]
    take_back: Callable[[Comment, Line, int | None], None]
    note: Callable[[Comment, Line], Kept]
    only: Callable[[Line], str]
    listed: bool = False


def note_nothing(comment: Comment, line: Line) -> Kept:
    """Keep the line only."""
    return ()


# $1 name, $2 whether the role may edit all jobs, $3 the role: jobs that it may not use do not exist for it.
FIND_JOBS = Statement(
    """
SELECT j.jobid FROM pgagent.pga_job j
 WHERE j.jobname = $1
   AND ($2 OR EXISTS (SELECT FROM pgagent_py.job_owner o WHERE o.jobid = j.jobid AND pg_has_role($3, o.jobownerid, 'USAGE')))
 ORDER BY j.jobid LIMIT 2""",
    "text",
    "bool",
    "name",
)
# $1 job, $2 name. waits: there is no job of that name that it could wait for already.
FIND_DEPENDENCY = Statement(
    """
SELECT (SELECT min(d.jobafter) FROM pgagent_py.job_dependency d JOIN pgagent.pga_job j ON j.jobid = d.jobafter
         WHERE d.jobid = $1 AND j.jobname = $2) AS jobid,
       NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobname = $2) AS waits""",
    "int4",
    "text",
)


def put_after(comment: Comment, line: Line) -> Kept:
    """Wait for the job, or for one of that name to come."""
    name, when = split_when(line, "success")
    found = FIND_JOBS(comment.plpy, name, may_edit(comment.plpy, comment.caller), comment.caller)
    if len(found) > 1:
        hint = "Rename one of them, or call add_dependency() with the id."
        raise invalid("after", f'@after: several jobs have the name "{name}"', hint)
    for row in found:
        comment.ask("add_dependency", job=comment.id, after=row["jobid"], when=when)
        return name, when, row["jobid"]
    if when not in ENDS:
        raise invalid("when", f'@after: when "{when}" is unknown', f"Use {', '.join(ENDS)}.")
    return name, when, None


def note_after(comment: Comment, line: Line) -> Kept:
    """Keep what the line has found in the dependencies that the import brings."""
    if not line.value:
        return ()
    name, when = split_when(line, "success")
    (found,) = FIND_DEPENDENCY(comment.plpy, comment.id, name)
    return (name, when, found["jobid"]) if found["jobid"] is not None or found["waits"] else ()


def take_back_after(comment: Comment, line: Line, job: int | None) -> None:
    """Wait for the job no longer."""
    if job is not None:
        DROP_DEPENDENCY(comment.plpy, comment.id, job)
        FORGET_MET(comment.plpy, comment.id, job)


FIND_MESSAGE = Statement(
    """
SELECT m.msgid FROM pgagent_py.message m
 WHERE m.msgjobid = $1 AND m.msgkind = $2 AND m.msgtarget = $3 AND m.msgwhen = $4 AND num_nulls(m.msgsubject, m.msgtext) = 2
 ORDER BY m.msgid LIMIT 1""",
    "int4",
    "text",
    "text",
    "text",
)


def put_message(comment: Comment, line: Line) -> Kept:
    """Add a message."""
    target, when = split_when(line, "failure")
    comment.ask("add_message", job=comment.id, kind=line.name, target=target, when=when)
    return ()


def take_back_message(comment: Comment, line: Line, job: int | None) -> None:
    """Drop the message."""
    target, when = split_when(line, "failure")
    for row in FIND_MESSAGE(comment.plpy, comment.id, line.name, target, when):
        DROP_MESSAGE(comment.plpy, row["msgid"])


def put_calendar(comment: Comment, line: Line) -> Kept:
    """Attach the calendar."""
    only = line.name == "only_calendar"
    comment.ask("attach_calendar", schedule=comment.id, calendar=line.value, only_days=only)
    return ()


def take_back_calendar(comment: Comment, line: Line, job: int | None) -> None:
    """Detach the calendar."""
    DETACH(comment.plpy, comment.id, line.value)


def put_way(comment: Comment, line: Line) -> Kept:
    """Do nothing: cron and rrule are set with the options."""
    return ()


def keep_sets(comment: Comment, line: Line, job: int | None) -> None:
    """Leave the sets as they are: without them the schedule would fire every minute."""


AFTER = Word(
    ("pgagent_py.job_dependency", "pgagent_py.dependency_met"),
    put_after,
    take_back_after,
    note_after,
    only=lambda line: f"after {split_when(line, '')[0]}",
)
MESSAGE = Word(
    ("pgagent_py.message",), put_message, take_back_message, note_nothing, only=lambda line: line.text[1:]
)
CALENDAR = Word(
    ("pgagent_py.schedule_calendar",),
    put_calendar,
    take_back_calendar,
    note_nothing,
    only=lambda line: f"calendar {line.value}",
    listed=True,
)
WAY = Word(("pgagent_py.schedule_calendar",), put_way, keep_sets, note_nothing, only=lambda line: line.name)
LISTS: Mapping[str, Mapping[str, Word]] = {
    "job": {"after": AFTER, **dict.fromkeys(KINDS, MESSAGE)},
    "step": {},
    "schedule": {"calendar": CALENDAR, "only_calendar": CALENDAR, "cron": WAY, "rrule": WAY},
}

# $1 names. A job without an owner waits for jobs without one only: else a role could make one that sets it off.
FIND_AWAITED = Statement(
    """
WITH found AS (
    UPDATE pgagent_py.comment_line w SET jobafter = j.jobid
      FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_owner n ON n.jobid = j.jobid
     WHERE left(w.linafter, 100) = ANY (ARRAY(SELECT left(n, 100) FROM unnest($1) n)) AND j.jobname = ANY ($1)
       AND w.linafter = j.jobname AND w.jobafter IS NULL AND w.jobid <> j.jobid
       AND CASE WHEN EXISTS (SELECT FROM pgagent_py.job_owner o WHERE o.jobid = w.jobid)
                THEN EXISTS (SELECT FROM pgagent_py.job_owner o
                              WHERE o.jobid = w.jobid AND pg_has_role(o.jobownerid, n.jobownerid, 'USAGE'))
                ELSE n.jobid IS NULL END
    RETURNING w.jobid, w.jobafter, w.linwhen)
INSERT INTO pgagent_py.job_dependency (jobid, jobafter, depwhen) SELECT f.jobid, f.jobafter, f.linwhen FROM found f
    ON CONFLICT DO NOTHING""",
    "text[]",
)


def find_awaited(plpy: Plpy, names: Sequence[str]) -> None:
    """Make the dependencies of @after lines that wait for jobs of these *names*. Launchers look whether they close a circle."""
    FIND_AWAITED(plpy, names)
