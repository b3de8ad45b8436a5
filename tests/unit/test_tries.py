"""launcher/tries.py: what a launcher remembers of the steps that it has executed."""

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
    )


def result(run: StepRun, status: str = "s", output: str = "") -> StepResult:
    """Return how it ended."""
    return StepResult(run.jlgid, run.jslid, status, run.jstid, output, 0.5, run.handed)


def test_a_result_is_known_by_number_and_time() -> None:
    memory = Tries()
    done = step_run(1)
    memory.note(done, result(done, output="done\n"))
    same_number = StepRun(**{name: getattr(done, name) for name in StepRun.__slots__} | {"handed": 5})
    assert memory.resume([done]) == {done.id: result(done, output="done\n")}
    assert memory.resume([same_number, step_run(2)]) == {}


def test_what_followed_in_the_run_is_reported_again_once_and_in_order() -> None:
    """The server has forgotten the end of the first step, two tries of the second and the third; another run is left alone."""
    memory = Tries()
    first, failed, tried_again, third = (
        step_run(1),
        step_run(2),
        step_run(3, jstid=2),
        step_run(4, jstid=3),
    )
    before, other = step_run(0, jstid=9), step_run(5, jlgid=2)
    for run, status in [
        (before, "s"),
        (first, "s"),
        (failed, "f"),
        (tried_again, "s"),
        (third, "d"),
        (other, "s"),
    ]:
        memory.note(run, result(run, status, f"{run.jslid}"))
    assert memory.resume([first]) == {first.id: result(first, "s", "101")}
    again = [step_run(11, jstid=2), step_run(12, jstid=2), step_run(13, jstid=3)]
    assert [memory.repeat(run) for run in again] == [
        StepResult(1, 111, "f", 2, "102", 0.5, again[0].handed),
        StepResult(1, 112, "s", 2, "103", 0.5, again[1].handed),
        StepResult(1, 113, "d", 3, "104", 0.5, again[2].handed),
    ]
    assert memory.repeat(step_run(14, jstid=3)) is None
    assert memory.repeat(step_run(15, jstid=9)) is None
    assert memory.repeat(step_run(16, jlgid=2, jstid=5)) is None
    memory.resume([])
    assert memory.repeat(step_run(17, jstid=2)) is None


def test_a_step_that_ends_late_is_reported_again_too() -> None:
    memory = Tries()
    run = step_run(1)
    memory.note(run, result(run), repeat=True)
    assert memory.repeat(step_run(2, jstid=1)) is not None


def test_its_size_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest tries are forgotten; so is the oldest output, a little sooner."""
    monkeypatch.setattr(tries, "TRIES", 10)
    monkeypatch.setattr(tries, "OUTPUT_BYTES", 64)
    memory = Tries()
    runs = [step_run(number, jlgid=number) for number in range(1, 101)]
    for run in runs:
        memory.note(run, result(run, output=f"\u00fc{run.jslid:9}"))
    known = memory.resume(runs)
    assert sorted(jslid for jslid, _ in known) == list(range(191, 201))
    outputs = [known[run.id].jsloutput for run in runs[-10:]]
    assert outputs == ["The output is not known any more."] * 5 + [
        f"\u00fc{run.jslid:9}" for run in runs[-5:]
    ]
    memory.note(runs[0], result(runs[0], output="x" * 1000))
    assert memory.resume(runs[:1])[runs[0].id].jsloutput == "x" * 64
    memory.note(runs[1], StepResult(2, runs[1].jslid, "f", None, "", 0.0, runs[1].handed))
    assert memory.resume([runs[1]])[runs[1].id].jslresult is None
