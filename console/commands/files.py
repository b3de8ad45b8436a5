"""Jobs in files: export, validate, apply, edit."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import psycopg

from ..cli import command
from ..errors import BAD, NO_RIGHT, CommandError, FileError
from ..files.changes import show_changes, show_difference, without_secrets
from ..files.fields import json_schema
from ..files.read import Files
from ..files.write import to_yaml, to_yaml_parts
from ..names import complete_job, find_job, pages_of_jobs
from ..output import plain, to_json, write_json
from ..session import Row, Session
from ..wording import in_own_words
from .run import call

PATH = click.Path(exists=True, path_type=Path)


def read_files(path: Path) -> Files:
    """Return what the files say, and tell what one may misread in them; CommandError with all mistakes."""
    files = Files()
    files.read(path)
    check(files)
    for note in files.notes:
        click.echo(plain(note), err=True)
    return files


def check(files: Files) -> None:
    """Raise an error with a line for each mistake."""
    if files.problems:
        raise FileError("\n".join(plain(problem) for problem in files.problems))


@command("pgagentctl validate jobs/")
@click.argument("path", metavar="FILE|FOLDER", type=PATH, required=False)
@click.option("--schema", is_flag=True, help="Write the JSON schema of files, for editors.")
def validate(session: Session, path: Path | None, schema: bool) -> None:
    """Check files of jobs. This needs no server."""
    if schema:
        click.echo(json.dumps(json_schema(), indent=2))
        return
    if path is None:
        raise CommandError("FILE|FOLDER is missing", "pgagentctl validate jobs/")
    files = read_files(path)
    if session.json:
        write_json({kind: list(found) for kind, found in files.document.items()})
    else:
        counts = ", ".join(f"{len(found)} {kind}" for kind, found in files.document.items())
        click.echo(f"{counts}: all is well")


@command("pgagentctl export -o jobs/")
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER/",
    help="Where to: a file, or a folder with a file for each job.",
)
def export(session: Session, jobs: tuple[str, ...], output: Path | None) -> None:
    """Write jobs as YAML: all, or those named."""
    documents = _documents(session, [find_job(session, job)["jobid"] for job in jobs])
    if session.json:
        _write_json(documents)
    elif output is None:
        for text in to_yaml_parts(documents):
            click.echo(text, nl=False)
            sys.stdout.flush()
    elif output.is_dir() or str(output).endswith("/") or (not output.suffix and not output.exists()):
        _write_folder(output, documents)
    else:
        _write(output, "".join(to_yaml_parts(documents)))


# To write a job takes milliseconds: the first of many are written before the others are read.
FIRST_PAGE, GROWTH = 25, 4
NEXT = ",\n"


def _documents(session: Session, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the definitions of these jobs, or of all by name, in documents of some jobs each, then what is no job's."""
    if ids:
        yield {"jobs": _export(session, ids)["jobs"]}
        return
    with session.connection.transaction():
        session.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rest = _export(session, [])
        for page in pages_of_jobs(session, size=FIRST_PAGE, growth=GROWTH):
            found = _export(session, page)["jobs"]
            yield {"jobs": {label: found[label] for label in sorted(found)}}
    yield rest


def _write_json(documents: Iterator[dict[str, Any]]) -> None:
    """Write all as one document."""
    before = '{"jobs": {'
    rest: dict[str, Any] = {}
    for document in documents:
        for label, job in document.pop("jobs").items():
            click.echo(f"{before}{to_json(label)}: {to_json(job)}", nl=False)
            before = NEXT
        sys.stdout.flush()
        rest |= document
    end = "".join(f", {to_json(key)}: {to_json(value)}" for key, value in rest.items())
    click.echo(f"{before if before != NEXT else ''}}}{end}}}")


def _export(session: Session, ids: Sequence[int]) -> dict[str, Any]:
    document: dict[str, Any] = call(session, "export_jobs", jobs=list(ids))
    return document


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None


def _write_folder(folder: Path, documents: Iterator[dict[str, Any]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}") from None
    taken: set[str] = set()
    for document in documents:
        for label, job in document["jobs"].items():
            name = base = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:80] or "job"
            number = 1
            while name in taken:
                number += 1
                name = f"{base}-{number}"
            taken.add(name)
            _write(folder / f"{name}.yaml", to_yaml({"jobs": {label: job}}))
        for kind in ("calendars", "windows"):
            if document.get(kind):
                name = kind if kind not in taken else f"{kind}-of-all"
                _write(folder / f"{name}.yaml", to_yaml({kind: document[kind]}))


@command("pgagentctl apply jobs/ --dry-run")
@click.argument("path", metavar="FILE|FOLDER", type=PATH)
@click.option("--dry-run", is_flag=True, help="Only show what would change; status 1 if something would.")
@click.option(
    "--prune",
    is_flag=True,
    help="Drop the jobs that an earlier apply of this file or folder added and that are gone from it.",
)
@click.option("--yes", is_flag=True, help="Answer the question of --prune.")
@click.option(
    "--source", metavar="NAME", help="What this file or folder is called, for --prune. Default: its path."
)
def apply(session: Session, path: Path, dry_run: bool, prune: bool, yes: bool, source: str | None) -> int:
    """Make the jobs in the database what files say, in one transaction. Other jobs stay as they are."""
    files = read_files(path)
    source = source or str(path.resolve())
    planned = import_files(session, files, True, source, prune)
    drops = [row["name"] for row in planned if row["action"] == "drop"]
    if dry_run:
        _tell(session, planned)
        return BAD if any(row["action"] != "same" for row in planned) else 0
    if drops and not yes:
        click.echo(
            "These jobs are dropped, with their history:\n" + "\n".join(f"  {plain(name)}" for name in drops),
            err=True,
        )
        click.confirm("Drop them?", abort=True, err=True)
    with session.connection.transaction():
        done = import_files(session, files, False, source, prune)
        if [row["name"] for row in done if row["action"] == "drop"] != drops:
            raise CommandError(
                "other jobs would be dropped by now than those that were listed", "Apply again."
            )
    _tell(session, done)
    return 0


def import_files(session: Session, files: Files, dry_run: bool, source: str | None, prune: bool) -> list[Row]:
    """Return what import_jobs() says of files; an error with its place in them."""
    query = "SELECT * FROM pgagent_py.import_jobs(%s::jsonb, %s, %s, %s)"
    try:
        return session.rows(query, to_json(files.document), dry_run, source, prune)
    except psycopg.Error as error:
        problem = files.place_of(error.diag.message_primary or "")
        if problem is None or error.sqlstate == "42501":
            raise
        raise FileError(plain(problem), in_own_words(error.diag.message_hint or "", {})) from None


def _tell(session: Session, rows: list[Row]) -> None:
    if session.json:
        write_json([row | {"changes": without_secrets(row["changes"])} for row in rows])
    else:
        show_changes(rows)


@command("pgagentctl edit nightly")
@click.argument("job", shell_complete=complete_job)
@click.option("--yes", is_flag=True, help="Answer the question whether to change the job.")
def edit(session: Session, job: str, yes: bool) -> None:
    """Edit a job as YAML in $EDITOR, then show the difference and ask."""
    found = find_job(session, job)
    try:
        document = {"jobs": _export(session, [found["jobid"]])["jobs"]}
    except psycopg.errors.InsufficientPrivilege as error:
        raise CommandError(error.diag.message_primary or str(error), OWNERS_WAY, NO_RIGHT) from None
    (label,) = document["jobs"]
    before = to_yaml(document)
    folder = Path(tempfile.mkdtemp(prefix="pgagentctl."))
    file = folder / "job.yaml"
    file.write_text(before, encoding="utf-8")
    keep = True
    try:
        after = _edited(file)
        if after == before:
            keep = False
            _tell(session, []) if session.json else click.echo("nothing has changed")
            return
        _change(session, found["jobid"], label, document, file, before, yes)
        keep = False
    except (click.Abort, KeyboardInterrupt, CommandError, psycopg.Error):
        click.echo(f"Nothing was changed. Your text is in {file}", err=True)
        raise
    finally:
        if not keep:
            file.unlink(missing_ok=True)
            folder.rmdir()


OWNERS_WAY = (
    "An owner without rights on pgAgent's tables changes it by pgagentctl add JOB --if-exists replace, with --sql, --batch "
    "or --cron, or in SQL by alter_job, alter_step and alter_schedule."
)


def _edited(file: Path) -> str:
    """Open the editor; return what the file has then."""
    try:
        click.edit(filename=str(file))
        return file.read_text(encoding="utf-8")
    except click.ClickException as error:
        raise CommandError(error.format_message(), "EDITOR says which editor is used.") from None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is no UTF-8 text") from None


def _change(
    session: Session, jobid: int, label: str, document: dict[str, Any], file: Path, before: str, yes: bool
) -> None:
    """Change the job, after a question, unless somebody else has changed it meanwhile."""
    files = read_files(file)
    if len(files.jobs) != 1:
        raise CommandError(
            f"{file}:1: the file must hold the one job", "pgagentctl apply takes files with several jobs."
        )
    (new,) = files.jobs
    if not (session.json and yes):
        show_difference(before, file.read_text(encoding="utf-8"), session.json)
    if not yes:
        click.confirm("Change the job?", abort=True, err=True)
    with session.connection.transaction():
        if _export(session, [jobid])["jobs"] != document["jobs"]:
            raise CommandError("somebody else has changed the job meanwhile", "Edit it again.")
        if new != label:
            _rename(session, jobid, document["jobs"][label].get("name", label), files.jobs[new])
        rows = import_files(session, files, False, None, False)
    _tell(session, rows)


STEPS_NAMED = "SELECT s.jstid AS step FROM pgagent_py.visible_step s WHERE s.jobid = %s AND s.jstname = %s"
SCHEDULES_NAMED = (
    "SELECT s.jscid AS schedule FROM pgagent_py.visible_schedule s WHERE s.jobid = %s AND s.jscname = %s"
)


def _rename(session: Session, jobid: int, old: str, job: Row) -> None:
    """Give a job its new name, and so what stands under its name in the short form: it keeps its id, and its log."""
    call(session, "alter_job", job=jobid, name=job["name"])
    for parts, query, verb in (
        ("steps", STEPS_NAMED, "alter_step"),
        ("schedules", SCHEDULES_NAMED, "alter_schedule"),
    ):
        names = {part["name"] for part in job.get(parts, ())}
        if job["name"] in names and old not in names:
            for row in session.rows(query, jobid, old):
                call(session, verb, name=job["name"], **row)
