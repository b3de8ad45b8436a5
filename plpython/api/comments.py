"""Comments: the @ lines of jobs, steps and schedules set options, as the role that has written them.

A trigger on pgAgent's tables asks for it, by the verb read_comment, which has no function of its own. Inside a call of another
verb, such as alter_job(description => ...), it waits for the end of that call: a new job has its owner only then. An import
brings the options itself: of the comments it only notes which lines they have.

Elsewhere nothing may be written in a subtransaction (see sql/triggers/request.sql). So all is tried in one, which is undone, and
the rows that it would have left are handed on, for the trigger request_write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..ground.bounds import check_count
from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import check_use, may_edit
from .comment_lines import Line, check_lines, nothing, read_lines, read_value
from .comment_lists import LISTS, find_awaited
from .jobs import OPTIONS as JOB_OPTIONS
from .kinds import check_kind
from .options import Options
from .schedule_ways import check_one_way
from .schedules import OPTIONS as SCHEDULE_OPTIONS
from .steps import OPTIONS as STEP_OPTIONS

READ_COMMENT = "read_comment"

# Of these a call of alter_schedule gives one, also to take it back.
ONE_WAY = ("every", "at")
WAYS, BESIDE_WAYS = ("cron", "rrule"), ("nth", "workdays", "roll", "recurs")

# Calls a verb as a role, with all checks: plpy, the role, the verb, its arguments.
Execute = Callable[[Plpy, str, str, dict[str, Any]], Any]


class Noun(NamedTuple):
    """What has comments: its table, its columns of key and comment, its options, the verb that sets them."""

    table: str
    key: str
    comment: str
    options: Options
    verb: str


NOUNS = {
    "job": Noun("pga_job", "jobid", "jobdesc", JOB_OPTIONS, "alter_job"),
    "step": Noun("pga_jobstep", "jstid", "jstdesc", STEP_OPTIONS, "alter_step"),
    "schedule": Noun("pga_schedule", "jscid", "jscdesc", SCHEDULE_OPTIONS, "alter_schedule"),
}
FIND = {
    noun: Statement(
        f"SELECT coalesce(t.{n.comment}, '') AS comment FROM pgagent.{n.table} t WHERE t.{n.key} = $1", "int4"
    )
    for noun, n in NOUNS.items()
}
FIND_LINES = {
    noun: Statement(
        f"SELECT c.lintext, c.jobafter FROM pgagent_py.comment_line c WHERE c.{n.key} = $1", "int4"
    )
    for noun, n in NOUNS.items()
}
FORGET = {
    noun: Statement(
        f"DELETE FROM pgagent_py.comment_line c WHERE c.{n.key} = $1 AND c.lintext = $2", "int4", "text"
    )
    for noun, n in NOUNS.items()
}
NOTE = {
    noun: Statement(
        f"""
    INSERT INTO pgagent_py.comment_line ({n.key}, lintext, linafter, linwhen, jobafter) VALUES ($1, $2, $3, $4, $5)""",
        "int4",
        "text",
        "text",
        "text",
        "int4",
    )
    for noun, n in NOUNS.items()
}
# An option goes back to the default of its column.
RESET = {
    (noun, name): Statement(
        f"UPDATE {n.options.table} o SET {column.name} = DEFAULT WHERE o.{n.options.key} = $1", "int4"
    )
    for noun, n in NOUNS.items()
    for name, column in n.options.arguments.items()
}
ZONE = Statement(
    """
    SELECT coalesce((SELECT o.jsctimezone FROM pgagent_py.schedule_option o WHERE o.jscid = $1),
                    pgagent_py.default_timezone()) AS zone""",
    "int4",
)


class Call:
    """A call of a verb in progress: the comments that were written in it, and the names of awaited jobs that came."""

    def __init__(self, caller: str, verb: str) -> None:
        self.caller = caller
        self.verb = verb
        self.comments: list[Row] = []
        self.awaited: list[str] = []


_calls: list[Call] = []


@contextmanager
def call(caller: str, verb: str) -> Iterator[Call]:
    """Note that a verb is being called."""
    _calls.append(Call(caller, verb))
    try:
        yield _calls[-1]
    finally:
        _calls.pop()


def postpone(subject: Row) -> bool:
    """Leave the comment of *subject* to the end of the call in progress; return whether there is one."""
    if _calls:
        _calls[-1].comments.append(subject)
    return bool(_calls)


def end_waiting(plpy: Plpy, name: str) -> None:
    """Let the lines that wait for a job of this *name* find it, or leave it to the end of the call in progress."""
    if _calls:
        _calls[-1].awaited.append(name)
    else:
        find_awaited(plpy, [name])


def finish(plpy: Plpy, present: Call, execute: Execute) -> None:
    """Do what the call in progress has left to its end."""
    only_note = present.verb.startswith("import_")
    for subject in present.comments:
        Comment(plpy, present.caller, subject, execute).read(only_note)
    if present.awaited:
        find_awaited(plpy, present.awaited)


class UndoError(Exception):
    """Leave the subtransaction in which a comment was tried."""


def rows_to_write(plpy: Plpy, caller: str, subject: Row, execute: Execute) -> list[Row]:
    """Return the rows that reading the comment of *subject* changes: each table before and after."""
    tables: list[Row] = []
    comment = Comment(plpy, caller, subject, execute)
    try:
        with plpy.subtransaction():
            before = comment.tables()
            comment.read(only_note=False)
            tables = [
                then | {"after": now["rows"], "before": then["rows"]}
                for then, now in zip(before, comment.tables())
                if then["rows"] != now["rows"]
            ]
            raise UndoError
    except UndoError:
        pass
    return tables


class Comment:
    """The comment of a job, step or schedule."""

    def __init__(self, plpy: Plpy, caller: str, subject: Row, execute: Execute) -> None:
        if not isinstance(subject, dict) or len(subject) != 1 or not subject.keys() <= NOUNS.keys():
            raise PgAgentError("read_comment takes a job, a step or a schedule", "Triggers call it.")
        ((self.noun, self.id),) = subject.items()
        check_kind(self.noun, "int", self.id)
        self.plpy = plpy
        self.caller = caller
        self.execute = execute
        self.names = {*NOUNS[self.noun].options.arguments, *LISTS[self.noun]}

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Call a verb as the role that has written the comment."""
        return self.execute(self.plpy, self.caller, verb, arguments)

    def read(self, only_note: bool) -> None:
        """Let the lines act that have come or gone since the comment was read last; only note them if *only_note*."""
        comments = FIND[self.noun](self.plpy, self.id)
        if not comments and not may_edit(self.plpy, self.caller):
            check_use(self.plpy, self.caller, {self.noun: self.id})  # what is not there looks like another's
        for found in comments:
            lines = self._lines(found["comment"])
            known = {row["lintext"]: row["jobafter"] for row in FIND_LINES[self.noun](self.plpy, self.id)}
            if only_note:
                self._note(lines, known)
                continue
            check_use(self.plpy, self.caller, {self.noun: self.id})
            check_lines(self.noun, lines, self.names, self._only)
            gone = read_lines("\n".join(known.keys() - {line.text for line in lines}))
            taken_back = self._take_back(gone, known, {line.name for line in lines})
            self._set(lines, [line for line in lines if line.text not in known], taken_back)

    def _lines(self, comment: str) -> list[Line]:
        """Return the lines of a comment, each value of a list in one of its own."""
        lines: list[Line] = []
        for line in read_lines(comment):
            word = LISTS[self.noun].get(line.name)
            values = line.value.split(",") if word and word.listed else [line.value]
            lines += [Line(line.name, value.strip()) for value in values]
        return list(dict.fromkeys(lines))

    def _only(self, line: Line) -> str:
        word = LISTS[self.noun].get(line.name)
        return word.only(line) if word else line.name

    def _note(self, lines: list[Line], known: Row) -> None:
        for text in known.keys() - {line.text for line in lines}:
            FORGET[self.noun](self.plpy, self.id, text)
        for line in lines:
            if line.name in self.names and line.text not in known:
                word = LISTS[self.noun].get(line.name)
                self._keep(line, *(word.note(self, line) if word else ()))

    def _keep(
        self, line: Line, after: str | None = None, when: str | None = None, job: int | None = None
    ) -> None:
        NOTE[self.noun](self.plpy, self.id, line.text, after, when, job)

    def _take_back(self, gone: list[Line], known: Row, stays: set[str]) -> Row:
        """Take back what lines have set that are gone; options whose name *stays* get another value.

        Return the arguments by which the verb takes options back: more may depend on them.
        """
        options, arguments = NOUNS[self.noun].options.arguments, {}
        for line in gone:
            word = LISTS[self.noun].get(line.name)
            if word:
                word.take_back(self, line, known[line.text])
            elif line.name not in stays and line.name in self.names:
                column = options[line.name]
                if column.optional and line.name not in ONE_WAY:
                    arguments[column.argument] = nothing(column.kind)
                else:
                    RESET[self.noun, line.name](self.plpy, self.id)
            FORGET[self.noun](self.plpy, self.id, line.text)
        return arguments

    def _set(self, lines: list[Line], new: list[Line], taken_back: Row) -> None:
        """Set what the *new* ones of the *lines* say, and take back the options *taken_back*."""
        options, zone = NOUNS[self.noun].options.arguments, ""
        if self.noun == "schedule":
            values = {line.name: line.value for line in lines}
            check_one_way(values.get("cron"), values, values.get("rrule"))
            written = [line.value for line in lines if line.name == "timezone" and line.value]
            zone = written[0] if written else ZONE(self.plpy, self.id)[0]["zone"]
        # In one call: cron and rrule take the place of what other lines say, unless these are given beside them.
        ways = {line.name: line.value for line in new if line.name in WAYS}
        beside = [line for line in lines if line.name in BESIDE_WAYS] if ways else []
        if "rrule" in ways:  # it takes back what it could say
            taken_back = {name: value for name, value in taken_back.items() if name not in BESIDE_WAYS}
        given = (
            taken_back
            | ways
            | {
                options[line.name].argument: read_value(self.plpy, line, options[line.name].kind, zone)
                for line in (*new, *beside)
                if line.name in options
            }
        )
        if given:
            self.ask(NOUNS[self.noun].verb, **{self.noun: self.id}, **given)
        for line in new:
            word = LISTS[self.noun].get(line.name)
            self._keep(line, *(word.put(self, line) if word else ()))
        if self.noun == "job" and any(line.name == "after" for line in new):
            check_count(self.plpy, self.id, dependencies=None)

    def tables(self) -> list[Row]:
        """Return the rows of all tables that lines change, as text of JSON."""
        return [
            {"name": name, "parent": parent, "id": self.id, "keys": KEYS.get((name, parent), ["lintext"]),
             "rows": READ_ROWS[name, parent](self.plpy, self.id)[0]["rows"]}
            for name, parent in TABLES[self.noun]
        ]  # fmt: skip


# What a row is known by: its other columns may be another session's by now. []: tables with one row, or none, of a job, step or
# schedule. The rules of days set pgAgent's own columns, too. Tables that are not named here have the lines themselves.
KEYS = {
    **{(n.options.table, n.key): [] for n in NOUNS.values()},
    ("pgagent.pga_schedule", "jscid"): [],
    ("pgagent_py.job_dependency", "jobid"): ["jobafter"],
    ("pgagent_py.dependency_met", "jobid"): ["jobafter"],
    ("pgagent_py.message", "msgjobid"): ["msgid"],
    ("pgagent_py.schedule_calendar", "jscid"): ["calname"],
}
PARENT = {"pgagent_py.message": "msgjobid"}
TABLES = {
    noun: [
        *(("pgagent.pga_schedule", "jscid") for _ in [noun] if noun == "schedule"),
        (n.options.table, n.key),
        *dict.fromkeys(
            (name, PARENT.get(name, n.key)) for word in LISTS[noun].values() for name in word.tables
        ),
        ("pgagent_py.comment_line", n.key),
    ]
    for noun, n in NOUNS.items()
}
READ_ROWS = {
    (name, parent): Statement(
        f"SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text AS rows FROM {name} t WHERE t.{parent} = $1",
        "int4",
    )
    for tables in TABLES.values()
    for name, parent in tables
}
