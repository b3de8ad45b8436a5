"""Why a run has failed."""

from __future__ import annotations

import re
from typing import Any

import click

from ..cli import command
from ..errors import CommandError
from ..names import complete_job, find_run
from ..newest import newest_runs
from ..output import block, cell, duration, plain, when, write_json
from ..session import Row, Session
from .job import numbered
from .run import USUAL

OF_RUN = ("jlgid", "jobid", "jobname", "run_status", "jlgstart", "jlgduration")
STEPS = """
SELECT r.jslid, r.jstid, r.jstname, r.step_status, r.jslresult, r.jslstart, r.jslduration, r.jsloutput,
       s.jstkind, s.jstcode, s.jstdbname
  FROM pgagent_py.run_history r LEFT JOIN pgagent_py.visible_step s ON s.jstid = r.jstid WHERE r.jlgid = %s ORDER BY r.jslid"""
SUCCESS = """
SELECT r.jlgid, r.jlgstart, r.jlgduration FROM pgagent_py.visible_run r
 WHERE r.jobid = %s AND r.jlgid < %s AND r.run_status = 'success' ORDER BY r.jlgid DESC LIMIT 1"""
HAS_CHANGES = "SELECT to_regclass('pgagent_py.job_changes') IS NOT NULL AS found"
CHANGES = """
SELECT * FROM pgagent_py.job_changes c
 WHERE c.jobid = %s AND c.changed_at BETWEEN coalesce(%s, '-infinity'::timestamptz) AND %s ORDER BY c.changed_at DESC LIMIT 20"""
CHANGED = "SELECT v.jobchanged AS at FROM pgagent_py.visible_job v WHERE v.jobid = %s"


@command("pgagentctl why nightly")
@click.argument("what", metavar="[JOB|RUN]", required=False, shell_complete=complete_job)
def why(session: Session, what: str | None) -> None:
    """Show why the last failed run failed: of all jobs, of a job, or a run."""
    if what:
        run = find_run(session, what, bad=True)
    elif found := list(newest_runs(session, 1, failed=True)):
        run = {key: found[0][0][key] for key in OF_RUN}
    else:
        raise CommandError("no run has failed", "pgagentctl runs lists all runs.")
    answer = explain(session, run)
    if session.json:
        write_json(answer)
    else:
        _show(answer)


def explain(session: Session, run: Row) -> dict[str, Any]:
    """Return what is known of a failed run."""
    steps = session.rows(STEPS, run["jlgid"])
    bad = [step for step in steps if step["step_status"] in ("failure", "aborted")]
    success = session.rows(SUCCESS, run["jobid"], run["jlgid"])
    since = success[0]["jlgstart"] if success else None
    changes: list[Row] = []
    if session.value(HAS_CHANGES):
        changes = session.rows(CHANGES, run["jobid"], since, run["jlgstart"])
    return run | {
        "failing_step": bad[-1] if bad else None,
        "steps": steps,
        "last_success": success[0] if success else None,
        "changes": changes,
        "job_changed": session.value(CHANGED, run["jobid"]),
        "usual_seconds": session.value(USUAL, run["jobid"]),
    }


def _show(run: dict[str, Any]) -> None:
    took = f" after {duration(run['jlgduration'])}" if run["jlgduration"] is not None else ""
    click.echo(
        click.style(f"{plain(run['jobname'])}, run {run['jlgid']}: {run['run_status']}{took}", bold=True)
    )
    click.echo(f"  started {when(run['jlgstart'])}" + _usual(run["usual_seconds"]))
    if not run["failing_step"]:
        click.echo(f"  no step has failed: the run was {run['run_status']} as a whole")
    else:
        _show_step(run["failing_step"])
    before = run["last_success"]
    if before is None:
        click.echo("  it has never succeeded before")
        return
    click.echo(
        f"  last success: run {before['jlgid']}, {when(before['jlgstart'])}, {cell(before['jlgduration'])}"
    )
    if run["changes"]:
        click.echo("  changed since:")
    for change in run["changes"]:
        values = (
            f": {cell(change['old_value'])} -> {cell(change['new_value'])}" if change["column_name"] else ""
        )
        what = " ".join(cell(change[key]) for key in ("action", "object", "column_name") if change[key])
        click.echo(f"    {when(change['changed_at'])} {cell(change['changed_by'])}: {what}{values}")
    if not run["changes"]:
        changed = run["job_changed"] and before["jlgstart"] < run["job_changed"] <= run["jlgstart"]
        click.echo(
            f"  the job was changed on {when(run['job_changed'])}"
            if changed
            else "  the job has not been changed since"
        )


def _usual(seconds: Any) -> str:
    return "" if seconds is None else f"; a run usually takes {duration(float(seconds))}"


def _show_step(step: Row) -> None:
    click.echo(
        f"  step {plain(step['jstname'])}: {step['step_status']}, result {cell(step['jslresult'])}, {cell(step['jslduration'])}"
    )
    if step["jstcode"]:
        at = re.search(r"(?m)^(?:LINE|psql:.*?|.*line) (\d+):", step["jsloutput"] or "")
        lines = numbered(step["jstcode"], "    ").split("\n")
        marked = int(at[1]) if at else 0
        for number, line in enumerate(lines, 1):
            click.echo(click.style(f"  >{line[3:]}", fg="red") if number == marked else line)
    click.echo("  it wrote:")
    click.echo(
        "\n".join(f"    {line}" for line in block((step["jsloutput"] or "nothing").rstrip()).split("\n"))
    )
