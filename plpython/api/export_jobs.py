"""Jobs and calendars are read into a document: see document.py. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.errors import invalid
from ..ground.exact_json import read_json
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import refresh_names
from .document import ENTITIES, JOB, LIST_TABLES, OPTION_TABLES, SCHEDULE, STEP, Entity, Fields, Table
from .windows import export_windows


def export_jobs(plpy: Plpy, caller: str, jobs: Sequence[int] | None = None) -> Row:
    """Return the definitions of all jobs, or of *jobs* alone, and of all calendars and windows."""
    refresh_names(plpy)
    reader = Reader(Fields(plpy))
    wanted = {label: jobid for label, jobid in reader.labels().items() if jobs is None or jobid in jobs}
    # By comparing, not as a set: what comes by the view request may be anything.
    if missing := [job for job in jobs or () if job not in wanted.values()]:
        raise invalid(
            "jobs",
            f"jobs: job {missing[0]} does not exist",
            "Look at jobid in the view pgagent_py.visible_job.",
        )
    exported = {label: reader.job(jobid) for label, jobid in wanted.items()}
    windows = export_windows(plpy)
    # Earlier versions know no windows.
    return {"jobs": exported, "calendars": read_calendars(plpy)} | ({"windows": windows} if windows else {})


READ_NAMES = Statement("SELECT j.jobid, j.jobname FROM pgagent.pga_job j ORDER BY j.jobid")
READ_ROWS = {
    table: Statement(
        f"SELECT to_jsonb(t)::text AS row FROM {table.name} t WHERE t.{table.parent} = $1"
        + (f" ORDER BY {table.order}" if table.order else ""),
        "int4",
    )
    for table in (*(entity.table for entity in ENTITIES), *OPTION_TABLES, *LIST_TABLES)
}
READ_AFTER = Statement(
    "SELECT d.jobafter, d.depwhen FROM pgagent_py.job_dependency d WHERE d.jobid = $1 ORDER BY d.jobafter",
    "int4",
)


UNREADABLE = "a number has too many digits, or lists and objects have too many levels"
WITHOUT_PARAMETERS = Statement("""SELECT ($1::jsonb || '{"jobparameters": null}')::text AS row""", "text")


class Reader:
    """Reads jobs as they are now. `labels` must be called again when jobs have been added."""

    def __init__(self, fields: Fields) -> None:
        self.plpy = fields.plpy
        self.fields = fields
        self._labels: dict[int, str] = {}

    def labels(self) -> dict[str, int]:
        """Return the ids of all jobs by label."""
        rows = READ_NAMES(self.plpy)
        taken = {row["jobname"] for row in rows}
        labels: dict[str, int] = {}
        for row in rows:
            label, number = row["jobname"], 1
            while label in labels or (number > 1 and label in taken):
                number += 1
                label = f"{row['jobname']} ({number})"
            labels[label] = row["jobid"]
        self._labels = {jobid: label for label, jobid in labels.items()}
        return labels

    def label(self, jobid: int) -> str:
        """Return the label of a job."""
        return self._labels[jobid]

    def job(self, jobid: int) -> Row:
        """Return the definition of a job."""
        (job,) = self.entities(JOB, jobid).values()
        for name, entity in (("steps", STEP), ("schedules", SCHEDULE)):
            if found := self.entities(entity, jobid):
                job[name] = list(found.values())
        if after := self.after(jobid):
            job["after"] = {self._labels[other]: when for other, when in after.items()}
        return job

    def after(self, jobid: int) -> dict[int, str]:
        """Return for which jobs this one waits, and for what end."""
        return {row["jobafter"]: row["depwhen"] for row in READ_AFTER(self.plpy, jobid)}

    def entities(self, entity: Entity, parent: int) -> dict[int, Row]:
        """Return the jobs, steps or schedules of *parent*, with their options and lists, by id."""
        found = {}
        for row in self.rows(entity.table, parent):
            id_ = row[entity.key]
            value = self.fields.to_fields(entity.table, row)
            for option in self.rows(entity.options, id_):
                value |= self.fields.to_fields(entity.options, option)
            for name, table in entity.lists.items():
                if rows := self.rows(table, id_):
                    value[name] = [self.fields.to_fields(table, row) for row in rows]
            found[id_] = value
        return found

    def rows(self, table: Table, parent: int) -> list[Row]:
        """Return the rows of *parent*, with all columns."""
        return [self._read(row["row"], parent) for row in READ_ROWS[table](self.plpy, parent)]

    def _read(self, row: str, parent: int) -> Row:
        try:
            read: Row = read_json(row)
        except (ValueError, RecursionError):  # parameters, from when they were not checked
            self.plpy.warning(f"pgagent_py: the parameters of job {parent} can't be exported: {UNREADABLE}")
            (rest,) = WITHOUT_PARAMETERS(self.plpy, row)
            read = read_json(rest["row"])
        return read


READ_CALENDARS = Statement("""
SELECT c.calname, c.caldesc, c.calweekend,
       (SELECT to_jsonb(array_agg(d.calday ORDER BY d.calday))::text FROM pgagent_py.calendar_day d
         WHERE d.calname = c.calname) AS days
  FROM pgagent_py.calendar c ORDER BY c.calname""")


def read_calendars(plpy: Plpy) -> dict[str, Row]:
    """Return the calendars with their days by name."""
    return {
        row["calname"]: {"description": row["caldesc"], "days": read_json(row["days"] or "[]")}
        | ({} if row["calweekend"] is None else {"weekend": row["calweekend"]})
        for row in READ_CALENDARS(plpy)
    }
