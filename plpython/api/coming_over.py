"""Jobs of other schedulers: what becomes of one of them, and what is told of it. Shared by the verbs import_..."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.problems import is_passing
from .jobs import add_job, alter_job
from .messages import add_message
from .schedules import add_schedule

ADD_CLASS = Statement(
    """
    INSERT INTO pgagent.pga_jobclass (jclname)
    SELECT $1 WHERE NOT EXISTS (SELECT FROM pgagent.pga_jobclass c WHERE c.jclname = $1)""",
    "text",
)


HINT = 'It is {"jobs": [...]}, as the query of docs/coming-over.md makes it.'


class UndoError(Exception):
    """Leave the subtransaction of a dry run."""


class Newcomer:
    """A job that comes over: its id here, and notes on what could not be carried over."""

    def __init__(
        self, plpy: Plpy, caller: str, name: str, class_: str | None, description: str | None
    ) -> None:
        self.plpy = plpy
        self.caller = caller
        self.name = name
        self.notes: list[str] = []
        given: Row = {"description": description or "", "enabled": False}
        if class_:
            ADD_CLASS(plpy, class_)
            given["class_"] = class_
        self.id = add_job(plpy, caller, name=name, **given)

    def tried(self, what: str, act: Callable[..., Any], **arguments: Any) -> Any:
        """Call a verb; note why it refuses."""
        try:
            with self.plpy.subtransaction():
                return act(self.plpy, self.caller, **arguments)
        except PgAgentError as error:
            self.notes.append(f"{what}: {error.message}")
        except self.plpy.SPIError as error:
            if is_passing(self.plpy, error):
                raise
            self.notes.append(f"{what}: {error}")
        return None

    def alter(self, what: str, **options: Any) -> None:
        """Set options of the job."""
        self.tried(what, alter_job, job=self.id, **options)

    def schedule(self, name: str, **arguments: Any) -> None:
        """Add a schedule. Times without a zone are on the wall clock of the default time zone."""
        for argument in arguments.keys() & {"start", "end", "at"}:
            arguments[argument] = self.tried(f'schedule "{name}"', _instant, time=text(arguments[argument]))
        self.tried(f'schedule "{name}"', add_schedule, job=self.id, name=name, **arguments)

    def email(self, address: str, when: str) -> None:
        """Add a message."""
        arguments = {"job": self.id, "kind": "email", "target": address, "when": when}
        self.tried(f"e-mail on {when}", add_message, **arguments)


def come_over(
    plpy: Plpy, jobs: str | None, dry_run: bool | None, take: Callable[[Mapping[str, Any]], Newcomer]
) -> list[Row]:
    """Have *take* add each job of the document; return ids, names and notes. A *dry_run* leaves nothing."""
    try:
        document = json.loads(jobs or "null")
        found = document["jobs"]
    except (ValueError, RecursionError, TypeError, KeyError):
        found = None
    if not isinstance(found, list) or not all(isinstance(job, dict) for job in found):
        raise invalid("jobs", "jobs is not the list that is read", HINT)
    rows: list[Row] = []
    try:
        with plpy.subtransaction():
            for number, job in enumerate(found, 1):
                newcomer = _taken(take, number, job)
                rows.append(
                    {"job": None if dry_run else newcomer.id, "name": newcomer.name, "notes": newcomer.notes}
                )
            if dry_run:
                raise UndoError
    except UndoError:
        pass
    return rows


def _taken(take: Callable[[Mapping[str, Any]], Newcomer], number: int, job: Mapping[str, Any]) -> Newcomer:
    """Take a job; refuse one that has a list where a text is due, or the like."""
    try:
        return take(job)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise invalid("jobs", f"jobs: job {number} has a value that can't be read: {error}", HINT) from None


# A zone in the text counts.
INSTANT = Statement(
    r"""
SELECT (CASE WHEN $1 ~ '(Z|[+-]\d\d(:?\d\d)?)$' THEN $1::timestamptz
             ELSE $1::timestamp AT TIME ZONE pgagent_py.default_timezone() END)::text AS at""",
    "text",
)


def _instant(plpy: Plpy, caller: str, time: str) -> str:
    at: str = INSTANT(plpy, time)[0]["at"]
    return at


def text(value: object) -> str:
    """Return a text of the document, whatever it is there."""
    return "" if value is None else str(value)
