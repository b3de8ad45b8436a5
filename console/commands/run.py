"""Running a job now, and waiting for it."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Any

import click

from ..cli import command
from ..errors import BAD, INTERRUPTED, CommandError
from ..names import complete_job, find_job, is_id
from ..newest import newest_runs
from ..output import draw, duration, is_screen, plain, write_json
from ..session import Row, Session
from .runs import STEPS, write_steps
from .status import read

NEWEST = "SELECT coalesce(max(r.jlgid), 0) FROM pgagent_py.visible_run r WHERE r.jobid = %s"
NEXT = "SELECT r.* FROM pgagent_py.visible_run r WHERE r.jobid = %s AND r.jlgid > %s ORDER BY r.jlgid LIMIT 1"
USUAL = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM n.jlgduration)) FROM (
       SELECT r.jlgduration FROM pgagent_py.visible_run r
        WHERE r.jobid = %s AND r.run_status = 'success' ORDER BY r.jlgid DESC LIMIT 20) n"""
STEP = """
SELECT s.jstid FROM pgagent_py.visible_step s
 WHERE s.jobid = %s AND (s.jstname = %s OR s.jstid = %s) ORDER BY s.jstname <> %s, 1"""
POLL_SECONDS = 0.3
NO_LAUNCHER_SECONDS = 5


@command("pgagentctl run nightly --wait --param day=monday")
@click.argument("job", shell_complete=complete_job)
@click.option(
    "-w", "--wait", is_flag=True, help="Show its output, and end with its result: 0 success, 1 failure."
)
@click.option("--from-step", metavar="STEP", help="The step to begin with, by name or id.")
@click.option("--from-failed", is_flag=True, help="Begin with the step that failed in its last failed run.")
@click.option("--only-step", metavar="STEP", help="The only step to execute, by name or id.")
@click.option("--param", multiple=True, metavar="KEY=VALUE", help="A parameter of this run; may be repeated.")
def run(
    session: Session,
    job: str,
    wait: bool,
    from_step: str | None,
    from_failed: bool,
    only_step: str | None,
    param: tuple[str, ...],
) -> int:
    """Make a job due now."""
    if bool(from_step) + from_failed + bool(only_step) > 1:
        hint = "Give one of --from-step, --from-failed and --only-step."
        raise CommandError("it is said twice which steps are to run", hint)
    found = find_job(session, job)
    arguments: dict[str, Any] = {"job": found["jobid"]}
    for name, step in (("from_step", from_step), ("only_step", only_step)):
        if step is not None:
            arguments[name] = _step_id(session, found, step)
    if from_failed:
        arguments["from_step"] = _failed_step(session, found)
    if param:
        arguments["parameters"] = json.dumps(dict(map(read_parameter, param)))
    before = session.value(NEWEST, found["jobid"])
    call(session, "run_now", **arguments)
    if wait:
        return Waiter(session, found, before).wait()
    if session.json:
        write_json({"jobid": found["jobid"], "jobname": found["jobname"], "after_run": before})
    else:
        click.echo(f'job "{plain(found["jobname"])}" is due now')
    return 0


def call(session: Session, function: str, **arguments: Any) -> Any:
    """Call a function of the extension with named arguments."""
    given = ", ".join(f'"{name}" => %s' for name in arguments)
    query: Any = f"SELECT pgagent_py.{function}({given}) AS value"
    return session.value(query, *arguments.values())


def _step_id(session: Session, job: Row, step: str) -> int:
    found = session.rows(STEP, job["jobid"], step, int(step) if is_id(step) else -1, step)
    if not found:
        raise CommandError(
            f'job "{plain(job["jobname"])}" has no step "{plain(step)}"',
            f"pgagentctl job {job['jobid']} shows its steps.",
        )
    id_: int = found[0]["jstid"]
    return id_


def _failed_step(session: Session, job: Row) -> int:
    """Return the step that failed in the last failed run."""
    for (run,) in newest_runs(session, 1, job=job["jobid"], failed=True):
        for step in reversed(session.rows(STEPS, run["jlgid"])):
            if step["step_status"] in ("failure", "aborted"):
                return int(step["jstid"])
    raise CommandError(f'job "{plain(job["jobname"])}" has no failed step', "Leave --from-failed out.")


def read_parameter(text: str) -> tuple[str, Any]:
    """Return name and value: JSON where it is some, else text."""
    name, found, value = text.partition("=")
    if not found or not name:
        raise click.BadParameter(f"--param {text!r}: write KEY=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


class Waiter:
    """Follows the run that was ordered, to its end."""

    def __init__(self, session: Session, job: Row, before: int) -> None:
        self.session = session
        self.job = job
        self.before = before
        self.began = time.monotonic()
        self.shown: set[int] = set()
        self.run: Row | None = None
        self.told = False
        usual = session.value(USUAL, job["jobid"])
        self.usual = float(usual) if usual is not None else None

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        try:
            while not self._ended():
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            self._clear()
            if self.run:
                click.echo(
                    f"Run {self.run['jlgid']} goes on. To end it: pgagentctl cancel {self.run['jlgid']}",
                    err=True,
                )
            else:
                click.echo("The job is due and runs as soon as a launcher takes it.", err=True)
            return INTERRUPTED
        return self._tell_end()

    def _ended(self) -> bool:
        found = self.session.rows(NEXT, self.job["jobid"], self.before)
        if not found and (
            self.run
            or not self.session.rows(
                "SELECT FROM pgagent_py.visible_job v WHERE v.jobid = %s", self.job["jobid"]
            )
        ):
            return True  # delete_on_success has taken it away
        if found:
            self.run = found[0]
            if not self.session.json:
                self._clear()
                write_steps(self.session, self.session.rows(STEPS, self.run["jlgid"]), self.shown)
        self._progress()
        return bool(found) and found[0]["run_status"] != "running"

    def _progress(self) -> None:
        if not self.run and not self.told and time.monotonic() > self.began + NO_LAUNCHER_SECONDS:
            self.told = True
            launchers = read(self.session, "launchers", 1)
            if launchers == []:
                click.echo("No launcher serves this database: the job waits for one.", err=True)
        if (
            self.session.json
            or not is_screen(sys.stderr)
            or (self.run and self.run["run_status"] != "running")
        ):
            return
        if not self.run:
            text = f"waits for a launcher, {duration(time.monotonic() - self.began)}"
        else:
            seconds = max(0.0, (datetime.now().astimezone() - self.run["jlgstart"]).total_seconds())
            text = f"run {self.run['jlgid']}: {_bar(seconds, self.usual)}{duration(seconds)}"
            text += f", usually {duration(self.usual)}" if self.usual is not None else ""
        draw(f"\r\x1b[K{text}", sys.stderr)

    def _clear(self) -> None:
        if is_screen(sys.stderr) and not self.session.json:
            draw("\r\x1b[K", sys.stderr)

    def _tell_end(self) -> int:
        self._clear()
        gone = self.run is None or not self.session.rows(NEXT, self.job["jobid"], self.before)
        status = "success" if gone or self.run is None else self.run["run_status"]
        if self.session.json:
            write_json(
                (self.run or {})
                | {
                    "run_status": status,
                    "steps": self.session.rows(STEPS, self.run["jlgid"]) if self.run else [],
                }
            )
        elif gone:
            click.echo("success: the job was deleted, as its delete_on_success says")
        elif self.run:
            click.echo(f"run {self.run['jlgid']}: {status} after {duration(self.run['jlgduration'])}")
        return 0 if status in ("success", "no steps") else BAD


def _bar(seconds: float, usual: float | None) -> str:
    if not usual:
        return ""
    full = min(20, round(20 * seconds / usual))
    return f"[{'#' * full}{'.' * (20 - full)}] "
