"""What becomes of jobs of other schedulers: each entry is imported by itself, and what it has become, or why not, is noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from .session import Session

BECOME = """
SELECT j.jobid, j.jobname, j.jobenabled,
       ARRAY(SELECT coalesce(s.cron, s.words) FROM pgagent_py.visible_schedule s
              WHERE s.jobid = j.jobid ORDER BY s.jscid) AS schedules,
       (SELECT min(s.jstkind) FROM pgagent_py.visible_step s WHERE s.jobid = j.jobid) AS kind
  FROM pgagent_py.visible_job j WHERE j.jobid = ANY (%s) ORDER BY j.jobid"""

# A schedule that will not do what it seems to do, if nothing stands in the way of the job.
SCHEDULES = """
SELECT coalesce(s.cron, s.words) AS says, s.cron = '@reboot' AS reboot, pgagent_py.next_run(s.jscid) IS NULL AS never
  FROM pgagent_py.visible_schedule s WHERE s.jobid = ANY (%s) AND s.jscenabled ORDER BY s.jscid"""
REBOOT = "@reboot: it runs whenever a launcher starts, also when the host has not"

# An entry is imported with the settings above it, so the server counts other lines than those of the file.
PLACE = re.compile(r"^crontab: (line \d+:? )?")


@dataclass
class Entry:
    """An entry of another scheduler, and the jobs that it has become."""

    source: str
    jobs: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: str | None = None

    def as_row(self, session: Session) -> dict[str, Any]:
        """Return what is told of it."""
        rows = session.rows(BECOME, self.jobs) if self.jobs else []
        notes = list(dict.fromkeys([*self._on_schedules(session), *self.notes]))
        return {"source": self.source, "jobs": rows, "notes": notes, "refused": self.refused}

    def _on_schedules(self, session: Session) -> Iterator[str]:
        for row in session.rows(SCHEDULES, self.jobs) if self.jobs else ():
            if row["reboot"]:
                yield REBOOT
            elif row["never"]:
                yield f"it never fires: {row['says']}"


class Importer:
    """Imports entries one by one. One that is refused leaves nothing behind, and does not stop the others."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.entries: list[Entry] = []
        self._notices: list[str] = []
        session.connection.add_notice_handler(
            lambda notice: self._notices.append(notice.message_primary or "")
        )

    @contextmanager
    def entry(self, source: str) -> Iterator[Entry]:
        """Collect what is said of an entry, in a savepoint of its own."""
        entry = Entry(source)
        self.entries.append(entry)
        self._notices.clear()
        try:
            with self.session.connection.transaction():
                yield entry
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate[:2] in ("08", "57") or error.sqlstate == "42501":
                raise
            entry.jobs = []
            entry.refused = PLACE.sub("", error.diag.message_primary or str(error))
        except NotCarriedError as error:
            entry.jobs = []
            entry.refused = str(error)
        entry.notes += [PLACE.sub("", notice) for notice in self._notices]


class NotCarriedError(Exception):
    """An entry has something that no job can have."""
