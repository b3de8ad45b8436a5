"""The records of steps in the engine directory: who is first, what is read, what is tidied up."""

import asyncio
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.engines import slurm, ssh
from launcher.engines.interface import ENDED, EngineError, NotYetError, Task, killed_by
from launcher.engines.records import BOOKED_SECONDS, LEFT_SECONDS, NEVER, Record, tidy
from launcher.step import BATCH, StepRun

OLD = max(BOOKED_SECONDS, LEFT_SECONDS) + 60


def task(directory: Path, name: str = "pgagent-one", code: str = "echo out; echo err >&2; exit 3") -> Task:
    """Return a step."""
    run = StepRun(1, 2, 3, 4, "job", "step", BATCH, code, "", "")
    return Task(run, name, {}, {"NAME": "it's"}, directory, output_limit=100)


def run(record: Record) -> None:
    """Run the wrapper, as a job does."""
    subprocess.run(["sh", record.write("7 n1")], check=False)


def test_a_script_runs_once(tmp_path: Path) -> None:
    record = Record(task(tmp_path / "engines"))
    record.make()
    assert (record.begun_as(), record.exit_code()) == ("", None)
    run(record)
    assert (record.begun_as(), record.exit_code(), record.output()) == (
        "7 n1",
        3,
        "out\nStandard error:\nerr\n",
    )
    (record.folder / "exit").unlink()
    run(record)
    assert record.exit_code() is None
    assert not record.take_start()


def test_a_script_whose_start_is_taken_never_runs(tmp_path: Path) -> None:
    record = Record(task(tmp_path / "engines"))
    assert record.take_start()
    assert record.take_start()
    run(record)
    assert (record.begun_as(), record.exit_code(), record.output()) == ("", None, "")


def test_a_job_that_is_just_beginning_has_begun(tmp_path: Path) -> None:
    """Its file is still empty."""
    record = Record(task(tmp_path))
    record.make()
    record.started.touch()
    assert record.begun_as()
    assert not record.take_start()
    record.started.write_text(NEVER)
    assert record.take_start()


def test_a_script_is_replaced_and_not_written_again(tmp_path: Path) -> None:
    """A shell may be reading it."""
    record = Record(task(tmp_path))
    record.make()
    record.write("7 n1")
    with (record.folder / "script").open() as script:
        record.write("7 n1")
        assert script.read() == "echo out; echo err >&2; exit 3"


def test_much_output_loses_its_middle(tmp_path: Path) -> None:
    record = Record(task(tmp_path))
    record.make()
    for size in (100, 101, 250, 5_000):
        (record.folder / "stdout").write_text("a" * (size - 1) + "z")
        text = record.output()
        assert text.startswith("a" * 50)
        assert text.endswith("z")
        assert f"[... {size - 100} bytes cut ...]" in text or size == 100


def test_a_directory_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="can't be used: Not a directory"):
        Record(task(tmp_path / "file" / "engines")).make()


def test_what_is_over_is_tidied_up(tmp_path: Path) -> None:
    """A step in progress keeps its files, however old they are, and so does one whose end is not in the log."""
    records = {
        name: Record(task(tmp_path, f"pgagent-{name}")) for name in ("going", "unbooked", "booked", "left")
    }
    for record in records.values():
        record.make()
        run(record)
    long_ago = time.time() - OLD
    for name, seconds in (("going", OLD), ("unbooked", BOOKED_SECONDS + 60), ("booked", OLD), ("left", OLD)):
        os.utime(records[name].started, (long_ago, long_ago))
        os.utime(records[name].folder, (time.time() - seconds,) * 2)
    tidy(tmp_path, ["pgagent-going"], ["pgagent-booked"])
    assert [name for name, record in records.items() if record.folder.exists()] == [
        "going",
        "unbooked",
        "booked",
    ]
    hour_ago = time.time() - BOOKED_SECONDS - 60
    os.utime(records["booked"].folder, (hour_ago, hour_ago))
    tidy(tmp_path, [], [])
    assert [name for name, record in records.items() if record.folder.exists()] == ["going", "unbooked"]
    assert sorted(path.name for path in tmp_path.glob("*.started")) == [
        "pgagent-going.started",
        "pgagent-unbooked.started",
    ]


@pytest.mark.parametrize(
    ("code", "number"), [(0, None), (128, None), (129, 1), (137, 9), (192, 64), (193, None), (255, None)]
)
def test_an_exit_code_of_a_signal_says_so(code: int, number: int | None) -> None:
    assert killed_by(code) == (f"The script was killed by signal {number}." if number else "")


@pytest.mark.parametrize("place", ["closed/engines", "file/engines", "file"])
def test_a_directory_that_can_not_be_used_ends_the_step(tmp_path: Path, place: str) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="can't be used"):
        asyncio.run(slurm.submit(task(tmp_path / place)))


@pytest.mark.parametrize("cancelled", [False, True])
def test_no_script_begins_over_ssh_when_connecting_has_taken_too_long(
    cancelled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher was frozen meanwhile, and another one may have the step; or it was cancelled."""
    calls: list[str] = []

    class Process:
        def close(self) -> None:
            calls.append("close")

    async def session(key: ssh.Key, command: str) -> tuple[ssh.Shared, Process]:
        assert (key[0], "exec sh" in command) == ("host", True)
        step.cancelled = cancelled
        return ssh.Shared(asyncio.get_running_loop().create_future(), sessions=2), Process()

    async def submit() -> str:
        with pytest.raises(NotYetError) as error:
            await ssh.submit(step)
        await error.value.until
        return (await ssh.look([step]))[step.name].phase

    monkeypatch.setattr(ssh, "_session", session)
    step = replace(task(tmp_path), options={"host": "host"}, may_begin=lambda: cancelled)
    assert asyncio.run(submit()) == ENDED
    assert calls == ["close"]
