"""launcher/tries.py: what a launcher remembers of the steps that it has executed."""

import mmap
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import tries
from launcher.step import StepResult, StepRun
from launcher.tries import Tries


def step_run(number: int, *, jlgid: int = 1, jstid: int = 0) -> StepRun:
    """Return the step that was handed out as this number, as step *jstid* of its run."""
    return StepRun(
        jobid=1,
        jlgid=jlgid,
        jstid=jstid or number,
        jslid=100 + number,
        jobname="job",
        jstname="step",
        jstkind="b",
        jstcode="",
        jstdbname="",
        jstconnstr="",
        handed=1_700_000_000_000_000 + number,
        claimed=1_600_000_000_000_000,
    )


def result(run: StepRun, status: str = "s", output: str = "") -> StepResult:
    """Return how it ended."""
    return StepResult(run.jlgid, run.jslid, status, run.jstid, output, 0.5, run.handed)


def again(run: StepRun, jslid: int) -> StepRun:
    """Return the same try as it is handed out again, by a server that has forgotten the first time."""
    return replace(run, jslid=jslid, handed=run.handed + 1_000_000)


def test_a_step_that_is_handed_out_again_is_known() -> None:
    memory = Tries()
    done = step_run(1)
    memory.note(done, result(done, output="done\n"))
    memory.look_back()
    repeated = again(done, 50)
    assert memory.ended([done]) == {done.id: result(done, output="done\n")}
    assert memory.ended([repeated]) == {
        repeated.id: replace(result(done, output="done\n"), jslid=50, handed=repeated.handed)
    }


def test_another_try_another_step_and_another_run_are_not() -> None:
    """After a failover a new run may have an old number: only the time of its claim tells that it is another one."""
    memory = Tries()
    done = step_run(1)
    memory.note(done, result(done))
    memory.look_back()
    others = [
        replace(again(done, 50), number=2),
        replace(again(done, 51), jstid=done.jstid + 1),
        replace(again(done, 52), jlgid=done.jlgid + 1),
        replace(again(done, 53), claimed=done.claimed - 1),
        replace(again(done, 54), claimed=done.claimed + 1),
    ]
    assert memory.ended(others) == {}


def test_it_counts_only_after_a_look_back() -> None:
    """As long as the server is the same, it hands out no step twice."""
    memory = Tries()
    done = step_run(1)
    memory.look_back()
    memory.note(done, result(done))
    assert memory.ended([done]) == {}
    memory.look_back()
    assert memory.ended([done]) != {}


def resident() -> int:
    """Return how many bytes of memory this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_a_few_tries_take_little() -> None:
    """A launcher of many databases has such a memory for each that it serves."""
    before = resident()
    memories = [Tries() for _ in range(50)]
    for memory in memories:
        for number in range(1, 11):
            run = step_run(number)
            memory.note(run, result(run, output="x" * 100))
    assert resident() - before < len(memories[0]._entries) + len(memories[0]._outputs)


def test_its_size_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest tries are forgotten; so is the oldest output, a little sooner."""
    monkeypatch.setattr(tries, "TRIES", 10)
    monkeypatch.setattr(tries, "OUTPUT_BYTES", 64)
    memory = Tries()
    runs = [step_run(number, jlgid=number) for number in range(1, 101)]
    for run in runs:
        memory.note(run, result(run, output=f"\u00fc{run.jslid:9}"))
    memory.look_back()
    known = memory.ended(runs)
    assert sorted(jslid for jslid, _ in known) == list(range(191, 201))
    outputs = [known[run.id].jsloutput for run in runs[-10:]]
    assert outputs == ["The output is not known any more."] * 5 + [
        f"\u00fc{run.jslid:9}" for run in runs[-5:]
    ]
    memory.note(runs[0], result(runs[0], output="x" * 1000))
    memory.look_back()
    assert memory.ended(runs[:1])[runs[0].id].jsloutput == "x" * 64
    memory.note(runs[1], StepResult(2, runs[1].jslid, "f", None, "", 0.0, runs[1].handed))
    memory.look_back()
    assert memory.ended([runs[1]])[runs[1].id].jslresult is None
