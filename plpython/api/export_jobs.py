"""Jobs and calendars are read into a document: see document.py. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.checks import DEEPEST_PARAMETERS, is_deeper
from ..ground.errors import invalid
from ..ground.exact_json import read_json
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import refresh_names
from .document import ENTITIES, JOB, LIST_TABLES, OPTION_TABLES, SCHEDULE, STEP, Entity, Fields, Table
from .windows import export_windows


def export_jobs(plpy: Plpy, caller: str, jobs: Sequence[int] | None = None) -> Row:
    """Return the definitions of all jobs, or of *jobs* alone, and of all calendars and windows."""
    # What comes by the view request may be anything.
    asked = None if jobs is None else [job for job in jobs if type(job) is int and abs(job) < MOST_ID]
    refresh_names(plpy, asked)
    reader = Reader(Fields(plpy))
    labels = reader.labels(asked)
    if jobs is not None:
        wanted = set(asked or ())
        labels = {label: jobid for label, jobid in labels.items() if jobid in wanted}
    known = set(labels.values())
    if missing := [job for job in jobs or () if type(job) is not int or job not in known]:
        raise invalid(
            "jobs",
            f"jobs: job {missing[0]} does not exist",
            "Look at jobid in the view pgagent_py.visible_job.",
        )
    exported = {label: reader.job(jobid) for label, jobid in labels.items()}
    windows = export_windows(plpy)
    # Earlier versions know no windows.
    return {"jobs": exported, "calendars": read_calendars(plpy)} | ({"windows": windows} if windows else {})


MOST_ID = 2**31
READ_NAMES = Statement("SELECT j.jobid, j.jobname FROM pgagent.pga_job j ORDER BY j.jobid")
# $1 jobs: those, the jobs that they wait for, and those whose names make a difference to their labels.
READ_NAMES_AROUND = Statement(
    """
WITH same AS MATERIALIZED (
    SELECT j.jobid, j.jobname FROM pgagent.pga_job j
     WHERE j.jobname = ANY (ARRAY(
           SELECT n.jobname FROM pgagent.pga_job n WHERE n.jobid = ANY ($1)
            UNION
           SELECT a.jobname FROM pgagent_py.job_dependency d JOIN pgagent.pga_job a ON a.jobid = d.jobafter
            WHERE d.jobid = ANY ($1)))),
several AS MATERIALIZED (SELECT s.jobname FROM same s GROUP BY 1 HAVING count(*) > 1)
SELECT s.jobid, s.jobname FROM same s
 UNION
SELECT j.jobid, j.jobname FROM pgagent.pga_job j
 WHERE (SELECT count(*) > 0 FROM several)
   AND regexp_replace(j.jobname, ' [(][0-9]+[)]$', '') = ANY (ARRAY(SELECT v.jobname FROM several v))
 ORDER BY jobid""",
    "int4[]",
)
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
WITHOUT_JSON = Statement(
    """
SELECT jsonb_set(jsonb_set($1::jsonb, '{jobparameters}', 'null', false), '{jstengineoptions}', 'null', false)::text AS row""",
    "text",
)


class Reader:
    """Reads jobs as they are now. `labels` must be called again when jobs have been added."""

    def __init__(self, fields: Fields) -> None:
        self.plpy = fields.plpy
        self.fields = fields
        self._labels: dict[int, str] = {}

    def labels(self, jobs: Sequence[int] | None = None) -> dict[str, int]:
        """Return the ids of all jobs by label; with *jobs* at least those of these jobs and of the jobs that they wait for."""
        rows = READ_NAMES(self.plpy) if jobs is None else READ_NAMES_AROUND(self.plpy, jobs)
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
        read: Row
        try:
            read = read_json(row)
            unreadable = is_deeper(
                read, DEEPEST_PARAMETERS + 1
            )  # how deep Python itself reads differs by its version
        except (ValueError, RecursionError):
            unreadable = True
        if unreadable:  # from when they were not checked, or from a restore
            of = "engine options of step" if "jstengineoptions" in row else "parameters of job"
            self.plpy.warning(f"pgagent_py: the {of} {parent} can't be exported: {UNREADABLE}")
            (rest,) = WITHOUT_JSON(self.plpy, row)
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
