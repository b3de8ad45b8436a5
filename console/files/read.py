"""Files of jobs become a document of import_jobs(), with the line of each of its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ..errors import CommandError
from ..extension.api.cron import both_days
from ..extension.rules.spread import key_of
from . import fields
from .problems import Place, Problem, line_of
from .values import WrongValueError, read_cron, read_exception, read_value

Value = dict[str, Any]
LISTS = {"steps": fields.STEP, "schedules": fields.SCHEDULE, "messages": fields.MESSAGE}


def yaml_files(path: Path) -> list[Path]:
    """Return the file, or the YAML files below the folder."""
    if path.is_dir():
        found = sorted(
            file for file in path.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file()
        )
        if not found:
            raise CommandError(
                f"there is no .yaml file in {path}", "pgagentctl export -o FOLDER writes some."
            )
        return found
    return [path]


class Files:
    """Reads files. *places* has the line of each part of the document, by the path that import_jobs() names it with."""

    def __init__(self) -> None:
        self.jobs: Value = {}
        self.calendars: Value = {}
        self.windows: Value = {}
        self.places: dict[str, Place] = {}
        self.texts: dict[str, str] = {}  # the values at those places
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []  # what means something else than one may think
        self._file = ""

    @property
    def document(self) -> Value:
        """What import_jobs() reads."""
        windows = {"windows": self.windows} if self.windows else {}
        return {"jobs": self.jobs, "calendars": self.calendars} | windows

    def read(self, path: Path) -> None:
        """Read a file, or all in a folder."""
        for file in yaml_files(path):
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise CommandError(f"{file} is no UTF-8 text") from None
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror}") from None
            self.read_text(str(file), text)

    def read_text(self, file: str, text: str) -> None:
        """Read the text of a file."""
        self._file = file
        try:
            content = YAML(typ="rt", pure=True).load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._wrong(mark.line + 1 if mark else 1, _yaml_problem(error, text))
            return
        except (YAMLError, ValueError, RecursionError) as error:
            self._wrong(1, str(error).partition("\n")[0])
            return
        if content is None:
            return
        if not isinstance(content, dict):
            self._wrong(1, "a file is a mapping: jobs: {NAME: ...}")
        elif "name" in content and "jobs" not in content:
            self._job(str(content["name"]), content, line_of(content))
        else:
            self._content(content)

    def _content(self, content: Any) -> None:
        readers = {"jobs": self._job, "calendars": self._calendar, "windows": self._window}
        for key, value in content.items():
            if key not in readers:
                self._wrong(
                    line_of(content, key), f'"{key}" is unknown: a file has jobs, calendars and windows'
                )
            elif value is not None and not isinstance(value, dict):
                self._wrong(line_of(content, key), f"{key} must be a mapping of names")
            else:
                for name, item in (value or {}).items():
                    readers[key](str(name), item, line_of(value, name))

    def _wrong(self, line: int, what: str) -> None:
        self.problems.append(Problem(Place(self._file, line), what))

    def _place(self, path: str, line: int) -> None:
        self.places[path] = Place(self._file, line)

    def _calendar(self, name: str, given: Any, line: int) -> None:
        self._place(f'calendars."{name}"', line)
        self.calendars[name] = self._fields(f'calendars."{name}"', fields.CALENDAR, given or {}, line)

    def _window(self, name: str, given: Any, line: int) -> None:
        self._place(f'windows."{name}"', line)
        self.windows[name] = self._fields(f'windows."{name}"', fields.WINDOW, given or {}, line)

    def _job(self, label: str, given: Any, line: int) -> None:
        path = f'jobs."{label}"'
        if path in self.places:
            self._wrong(line, f'job "{label}" is in {self.places[path]}, too')
            return
        self._place(path, line)
        if not isinstance(given, dict):
            self._wrong(line, f'job "{label}" must be a mapping')
            return
        lists = {name: given[name] for name in (*LISTS, "after") if given.get(name) is not None}
        job = self._fields(path, fields.JOB, given, line, skip=(*LISTS, "after"))
        job.setdefault("name", label)
        name = job["name"]
        step = {key: job.pop(key) for key in fields.SHORT_STEP if key in job}
        schedule = {key: job.pop(key) for key in fields.SHORT_SCHEDULE if key in job}
        for key, short, many in (("sql", step, "steps"), ("cron", schedule, "schedules")):
            if short and many in lists:
                first = next(iter(short))
                self._wrong(
                    line_of(given, first, line),
                    f"both {first} and {many} are given: write {first} into {many}",
                )
            elif short and key == "sql" and not {"sql", "batch"} & short.keys():
                self._wrong(line_of(given, next(iter(short)), line), "database is given, but no sql")
        if step:
            self._place(f"{path}.steps[0]", line_of(given, next(iter(step)), line))
            job["steps"] = [{"name": name} | step]
        if schedule:
            rows = self._ways(name, {"name": name} | schedule, line_of(given, next(iter(schedule)), line))
            self._add_schedules(job, path, rows, line_of(given, next(iter(schedule)), line))
        for key, value in lists.items():
            self._list(job, path, key, value, line_of(given, key, line))
        self.jobs[label] = job

    def _list(self, job: Value, path: str, key: str, value: Any, line: int) -> None:
        if key == "after":
            self._after(job, path, value, line)
            return
        if not isinstance(value, list):
            self._wrong(line, f"{key} must be a list")
            return
        for number, item in enumerate(value):
            at = line_of(value, number, line)
            where = f"{path}.{key}[{len(job.get(key, []))}]"
            row = self._fields(where, LISTS[key], item, at)
            if key != "messages" and "name" not in row:
                row["name"] = job["name"]
            if key == "schedules":
                self._add_schedules(job, path, self._ways(job["name"], row, at), at)
                continue
            if key == "steps" and ("sql" in row) == ("batch" in row):
                self._wrong(at, "a step has either sql or batch")
            self._place(where, at)
            job.setdefault(key, []).append(row)

    def _add_schedules(self, job: Value, path: str, rows: Sequence[Value], line: int) -> None:
        for row in rows:
            self._place(f"{path}.schedules[{len(job.setdefault('schedules', []))}]", line)
            job["schedules"].append(row)

    def _after(self, job: Value, path: str, value: Any, line: int) -> None:
        if isinstance(value, list):
            value = dict.fromkeys(map(str, value), "success")
        if not isinstance(value, dict):
            self._wrong(line, "after must be a list of jobs, or a mapping such as {load: finish}")
            return
        job["after"] = {}
        for other, when in value.items():
            self._place(f'{path}.after."{other}"', line_of(value, other, line))
            if when not in ("success", "failure", "finish"):
                self._wrong(line_of(value, other, line), "after: must be success, failure or finish")
            job["after"][str(other)] = str(when)

    def _fields(
        self, path: str, kinds: Mapping[str, str], given: Any, line: int, skip: Sequence[str] = ()
    ) -> Value:
        """Return the fields of a mapping as import_jobs() calls them."""
        if not isinstance(given, dict):
            self._wrong(line, "must be a mapping")
            return {}
        row: Value = {}
        for name, value in given.items():
            at = line_of(given, name, line)
            self._place(f"{path}.{name}", at)
            self.texts[f"{path}.{name}"] = str(value)
            if name in skip or value is None:
                continue
            if name not in kinds:
                self._wrong(at, f'"{name}" is unknown' + _similar(str(name), kinds))
                continue
            try:
                read = value if kinds[name] == fields.CRON else read_value(name, kinds[name], value)
                if kinds[name] == fields.CRON:
                    read_cron(value)
                    if said := both_days(value):
                        self.notes.append(Problem(Place(self._file, at), said))
                row[fields.document_field(name)] = str(read) if kinds[name] == fields.CRON else read
            except WrongValueError as error:
                self._wrong(at, str(error))
        return row

    def _ways(self, job: str, row: Value, line: int) -> list[Value]:
        """Return the schedules that a schedule of a file stands for: two where cron's day fields mean either."""
        cron = row.pop("cron", None)
        try:
            if cron is not None and (
                both := row.keys() & {"minutes", "hours", "weekdays", "monthdays", "months", "every", "at"}
            ):
                raise WrongValueError(f"both cron and {min(both)} are given")
            if (exceptions := row.pop("exceptions", None)) is not None:
                row["exceptions"] = [read_exception(text) for text in exceptions]
            names = [{"name": name} for name in row.pop("calendars", [])]
            names += [{"name": name, "only": True} for name in row.pop("onlycalendars", [])]
            if names:
                row["calendars"] = sorted(names, key=lambda calendar: str(calendar["name"]))
            if cron is None:
                return [row]
            return [row | way for way in read_cron(cron, key_of(job, row["name"]))]
        except WrongValueError as error:
            self._wrong(line, str(error))
            return []

    def place_of(self, message: str) -> Problem | None:
        """Return the place of an error of import_jobs() in the files, if it names one."""
        text = message.removeprefix("jobs: ")
        known = [path for path in self.places if text.startswith(path)]
        if not known:
            return None
        path = max(known, key=len)
        what = re.sub(r"^[^:]*: ", "", text[len(path) :])
        field = f"{path}.{what.partition(':')[0]}"
        if field not in self.places:  # the server names a value, and not its field
            shown = self._showing(what, path) or self._showing(what, path.rpartition(".")[0])
            field = shown[0] if len(shown) == 1 else path
        return Problem(self.places[field], what)

    def _showing(self, what: str, path: str) -> list[str]:
        """Return the fields below a path whose value a message shows."""
        return [at for at, value in self.texts.items() if at.startswith(f"{path}.") and f'"{value}"' in what]


def _similar(name: str, kinds: Mapping[str, str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, kinds, 1)
    return f": did you mean {close[0]}?" if close else ""


def _yaml_problem(error: MarkedYAMLError, text: str) -> str:
    problem = " ".join(str(part).strip() for part in (error.problem, error.context) if part)
    mark = error.problem_mark
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    if re.search(r":\s+\*", line):
        return "a value that begins with * belongs in quotes"
    return problem.partition("\n")[0]
