"""pgagentctl in a real terminal: what it draws, what it asks, and how it leaves the terminal."""

import re
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from rich.cells import cell_len

from tests.conftest import StartLauncher
from tests.console.conftest import Ctl
from tests.helpers import PATIENCE, SLEEPING, Db, add_job, call, rows, value, wait_for_row


class Terminal:
    """A terminal."""

    def __init__(self, ctl: Ctl) -> None:
        self.ctl = ctl
        self.columns = 80
        self.started: list[pexpect.spawn[str]] = []

    def __call__(self, *arguments: str, **environment: str) -> "pexpect.spawn[str]":
        child = pexpect.spawn(
            self.ctl.program,
            ["-d", self.ctl.conninfo, *arguments],
            env=self.ctl.environment | {"TERM": "xterm-256color"} | environment,
            dimensions=(24, self.columns),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        self.started.append(child)
        return child


@pytest.fixture
def terminal(ctl: Ctl) -> Iterator[Terminal]:
    """Return the function that starts pgagentctl in a terminal."""
    made = Terminal(ctl)
    yield made
    for child in made.started:
        child.close(force=True)


def ended(child: "pexpect.spawn[str]") -> tuple[str, int | None]:
    """Return what was drawn until the end, and the exit status."""
    child.expect(pexpect.EOF)
    child.close()
    return child.before or "", child.exitstatus


def test_lines_end_at_the_edge_and_statuses_have_colours(terminal: Terminal, db: Db) -> None:
    call(db, "run_now", job=add_job(db, "long name " * 20, sql="SELECT 1"))
    call(db, "run_now", job=add_job(db, "\u65e5\u672c " * 30, sql="SELECT 1/0"))
    rows(db, "SELECT pgagent_py.run_due()")
    drawn, status = ended(terminal("runs"))
    assert status == 0
    assert "\x1b[31mfailure" in drawn
    assert "\x1b[32msuccess" in drawn
    drawn, _ = ended(terminal("timeline", "--since", "1h"))
    assert "\x1b[31m\u2588" in drawn
    for none in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        for listing in ("runs", "timeline"):
            drawn, status = ended(terminal(listing, **none))
            assert (status, "\x1b" in drawn) == (0, False), (listing, none, drawn)
    for terminal.columns in (80, 40):
        for listing in ("jobs", "runs", "timeline"):
            drawn, _ = ended(terminal(listing))
            lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in drawn.splitlines()]
            assert max(map(cell_len, lines[:-1])) <= terminal.columns, lines


def test_watch_draws_live_and_leaves_the_terminal_as_it_was(
    terminal: Terminal, db: Db, launcher: StartLauncher
) -> None:
    db.execute("SELECT pgagent_py.set_notify_runs(true)")
    job = add_job(db, "shown", "SELECT pg_sleep(600)")
    child = terminal("watch")
    child.expect_exact("\x1b[?1049h")
    child.expect("no job runs until a launcher is started")
    launcher(terminal.ctl.conninfo)
    call(db, "run_now", job=job)
    child.expect(r"RUN[^\r\n]*JOB[^\r\n]*\r\n[^\r\n]*shown")
    child.sendintr()
    drawn, status = ended(child)
    assert "\x1b[?25h\x1b[?1049l" in drawn
    assert status == 130


def test_a_wait_shows_progress_and_says_how_to_cancel(
    terminal: Terminal, db: Db, launcher: StartLauncher
) -> None:
    launcher(terminal.ctl.conninfo)
    job = add_job(db, "j", "SELECT pg_sleep(600)")
    db.execute(
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration) VALUES (%s, 's', now(), '20 s')",
        [job],
    )
    child = terminal("run", "j", "--wait")
    wait_for_row(db, SLEEPING)
    child.expect(r"run \d+: \[[#.]{20}\] .*usually 20\.0 s")
    child.sendintr()
    child.expect(r"Run (\d+) goes on\. To end it: pgagentctl cancel \1")
    assert ended(child)[1] == 130
    assert value(db, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 'r'") == 1


def test_what_would_be_lost_is_asked(
    terminal: Terminal, db: Db, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("jobs")
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(f"name: {name}\nsql: SELECT 1\n")
    terminal.ctl("apply", str(folder))
    (folder / "a.yaml").unlink()
    child = terminal("apply", str(folder), "--prune")
    child.expect(r"Drop them\? \[y/N\]")
    child.sendline("n")
    assert ended(child)[1] == 130
    child = terminal("apply", str(folder), "--prune")
    child.expect(r"Drop them\? \[y/N\]")
    child.sendline("y")
    assert ended(child)[1] == 0
    assert rows(db, "SELECT jobname FROM pgagent.pga_job") == [("b",)]


def test_mails_to_a_name_without_a_host_are_asked_about(terminal: Terminal, db: Db, tmp_path: Path) -> None:
    file = tmp_path / "jobs.cron"
    file.write_text("MAILTO=root\n@daily true\n")
    for answer, targets in (("", []), ("ops@example.org", [("ops@example.org",)])):
        child = terminal("import", "crontab", str(file))
        child.expect("MAILTO=root names no host")
        child.sendline(answer)
        shown, status = ended(child)
        assert status == 0
        assert ("no e-mail for MAILTO" in shown) == (not targets)
        assert rows(db, "SELECT msgtarget FROM pgagent_py.job_message") == targets


def test_completion_knows_commands_and_jobs(ctl: Ctl, db: Db) -> None:
    add_job(db, "nightly load")
    words = {"_PGAGENTCTL_COMPLETE": "bash_complete", "COMP_CWORD": "1", "COMP_WORDS": "pgagentctl wh"}
    assert "plain,why" in ctl.run(**words).stdout
    words |= {"COMP_CWORD": "4", "COMP_WORDS": f"pgagentctl -d '{ctl.conninfo}' run nig"}
    assert "nightly load" in ctl.run(**words).stdout
