"""The accounts: what was executed, by the file, against what the log and the tables of the surviving primary say."""

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.ha.probe import Probe
from tests.ha.story import DATABASE, Story
from tests.helpers import Db, rows
from tests.helpers.claims import claimed_twice

# Seconds: how long before a promotion a commit may have been made that the new primary does not have, and how long
# after it the former one may have gone on. Frozen Patroni, frozen server: both end within the time of a fault.
BEFORE, AFTER = 60.0, 60.0
SKEW = 0.05  # seconds by which a step may seem to begin before it was logged

LOG = """
SELECT s.jslid, l.jlgid, l.jlgjobid, s.jsljstid, s.jslstatus::text, extract(epoch FROM s.jslstart)::float8,
       coalesce(o.jstatomic, false), t.jstkind::text
  FROM pgagent.pga_jobsteplog s JOIN pgagent.pga_joblog l ON l.jlgid = s.jsljlgid
  JOIN pgagent.pga_jobstep t ON t.jstid = s.jsljstid
  LEFT JOIN pgagent_py.step_option o ON o.jstid = t.jstid ORDER BY s.jslstart"""


@dataclass
class Execution:
    """What the file says of one execution of a step."""

    began: float
    kind: str
    job: int
    run: int
    step: int
    port: int
    words: list[str] = field(default_factory=list)


class Entry(NamedTuple):
    """A row of the step log."""

    jslid: int
    run: int
    job: int
    step: int
    status: str
    started: float
    atomic: bool
    kind: str


@dataclass
class Accounts:
    """The findings, by what they mean; what stands in `lost` an asynchronous failover may do, the rest nothing may."""

    executions: int
    wrong: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    lost: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    gaps: list[float] = field(default_factory=list)
    client_gaps: list[float] = field(default_factory=list)


def read(story: Story) -> dict[str, Execution]:
    """Return the executions in the file."""
    found: dict[str, Execution] = {}
    for line in story.file.read_text().splitlines():
        at, word, kind, job, run, step, port, execution = line.split()
        if word == "begin":
            found[execution] = Execution(float(at), kind, int(job), int(run), int(step), int(port))
        else:
            found[execution].words.append(word)
    return found


def compare(story: Story, probe: Probe, synchronous: bool) -> Accounts:
    """Draw up the accounts once all is quiet."""
    executions = read(story)
    accounts = Accounts(len(executions))
    with story.cluster.connect(DATABASE) as db:
        log = [Entry(*row) for row in rows(db, LOG)]
        inside = {execution for (execution,) in rows(db, "SELECT execution FROM inside")}
        accounts.wrong["a due time has run twice"] += claimed_twice(db)
        _check_orders(db, story, accounts, synchronous)
    by_entry = _match(executions, log, accounts, probe, synchronous)
    for entry in log:
        _check_entry(
            entry, {name: executions[name] for name in by_entry[entry.jslid]}, inside, accounts, synchronous
        )
    _measure_gaps(executions, probe, accounts)
    return accounts


def _match(
    executions: dict[str, Execution], log: list[Entry], accounts: Accounts, probe: Probe, synchronous: bool
) -> dict[int, list[str]]:
    """Return the executions of each log entry: an execution belongs to the last that was logged before it began."""
    entries: dict[tuple[int, int, int], list[Entry]] = defaultdict(list)
    for entry in log:
        entries[entry.job, entry.run, entry.step].append(entry)
    found: dict[int, list[str]] = defaultdict(list)
    for name, execution in executions.items():
        before = [
            e
            for e in entries[execution.job, execution.run, execution.step]
            if e.started <= execution.began + SKEW
        ]
        if before:
            found[before[-1].jslid].append(name)
            continue
        lost = not synchronous and any(
            p.at - BEFORE < execution.began < p.at + AFTER for p in probe.promotions
        )
        (accounts.lost if lost else accounts.wrong)[f"{execution.kind} executed without a record"].append(
            execution
        )
    return found


def _check_entry(
    entry: Entry, executions: dict[str, Execution], inside: set[str], accounts: Accounts, synchronous: bool
) -> None:
    """One handing out is one execution at most, and a success has had its effect."""
    if len(executions) > 1:
        accounts.wrong[f"{_kind(entry)} executed twice"].append((entry, executions))
    effect = any(name in inside for name in executions)
    if entry.atomic and effect != (entry.status == "s"):
        accounts.wrong["atomic: log and effect differ"].append((entry, executions))
    elif entry.status == "s" and not any("end" in execution.words for execution in executions.values()):
        accounts.wrong[f"{_kind(entry)} logged s and not executed to its end"].append((entry, executions))
    elif entry.status == "s" and entry.kind == "s" and not effect:
        (accounts.wrong if synchronous else accounts.lost)["sql logged s, its effect is lost"].append(
            (entry, executions)
        )


def _kind(entry: Entry) -> str:
    return "atomic" if entry.atomic else "sql" if entry.kind == "s" else "batch"


def _check_orders(db: Db, story: Story, accounts: Accounts, synchronous: bool) -> None:
    """What somebody has told to run, and was answered, has run."""
    for job, due in story.orders:
        if not rows(db, "SELECT FROM claim WHERE job = %s AND due >= %s", job, due):
            (accounts.wrong if synchronous else accounts.lost)["run_now() was answered and forgotten"].append(
                (job, due)
            )


def _measure_gaps(executions: dict[str, Execution], probe: Probe, accounts: Accounts) -> None:
    """How long after a promotion the first step began there, and how long after it a simple client was there."""
    promotions = sorted(probe.promotions)
    ends = [p.at for p in promotions[1:]] + [float("inf")]
    for promotion, end in zip(promotions, ends, strict=True):
        begins = [
            e.began
            for e in executions.values()
            if e.port == promotion.port and promotion.at - 1 < e.began < end
        ]
        finds = [at for at, port in probe.found if port == promotion.port and promotion.at - 1 < at < end]
        if begins:
            accounts.gaps.append(max(0.0, min(begins) - promotion.at))
        if finds:
            accounts.client_gaps.append(max(0.0, min(finds) - promotion.at))


def summary(accounts: Accounts, struck: Counter[str]) -> str:
    """Return the accounts as lines of text."""
    lines = [f"faults: {', '.join(f'{count} {name}' for name, count in sorted(struck.items()))}"]
    lines.append(f"executions: {accounts.executions}")
    for what, gaps in (("first step", accounts.gaps), ("simple client", accounts.client_gaps)):
        if gaps:
            each = " ".join(f"{gap:.1f}" for gap in sorted(gaps))
            lines.append(
                f"{what} after a promotion: median {statistics.median(gaps):.2f} s, longest {max(gaps):.2f} s ({each})"
            )
    for verdict, findings in (("WRONG", accounts.wrong), ("lost", accounts.lost)):
        lines += [f"{verdict}: {len(cases)} x {what}" for what, cases in sorted(findings.items()) if cases]
    return "\n".join(lines)
