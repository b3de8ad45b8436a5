"""The accounts: what was executed, by the file, against what the log and the tables of the surviving primary say."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from tests.ha.faults import Fault
from tests.ha.probe import Probe, Promotion
from tests.ha.story import DATABASE, Story
from tests.helpers import Db, rows
from tests.helpers.claims import claimed_twice

# Seconds: how long a step may last whose last commit is lost, and how late it may begin.
LONGEST_STEP, LATE = 10.0, 2.0
# Seconds around a promotion that no fault was meant to lead to: the machine was busy.
SPONTANEOUS = 20.0
SHOWN = 5  # so many cases of each kind that is wrong
SKEW = 0.05  # seconds by which a step may seem to begin before it was logged

LOG = """
SELECT s.jslid, l.jlgid, l.jlgjobid, s.jsljstid, s.jslstatus::text, extract(epoch FROM s.jslstart)::float8,
       extract(epoch FROM s.jslstart + s.jslduration)::float8, coalesce(o.jstatomic, false), coalesce(o.jstretries, 0),
       t.jstkind::text
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
    ended: float
    atomic: bool
    retries: int
    kind: str


@dataclass
class Accounts:
    """The findings, by what they mean; what stands in `lost` an asynchronous failover may do, the rest nothing may."""

    executions: int
    wrong: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    lost: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    gaps: list[float] = field(default_factory=list)
    client_gaps: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)


def _match_tries(known: list[Entry], found: dict[int, list[str]]) -> None:
    """A next try may have been logged after it began, too: a new primary has handed it out again, and had the result at once."""
    for entry in known:
        free = [later for later in known if later.started > entry.started and not found[later.jslid]]
        for later in free[: max(len(found[entry.jslid]) - 1, 0)]:
            found[later.jslid].append(found[entry.jslid].pop())


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


class Comparison:
    """Draws up the accounts once all is quiet."""

    def __init__(self, story: Story, probe: Probe, struck: list[Fault], synchronous: bool) -> None:
        self._story, self._probe, self._synchronous = story, probe, synchronous
        self._struck = [fault for fault in struck if self._promotions(fault)] + self._spontaneous(struck)
        self._executions = read(story)
        self.accounts = Accounts(len(self._executions))
        with story.cluster.connect(DATABASE) as db:
            log = [Entry(*row) for row in rows(db, LOG)]
            self._inside = {execution for (execution,) in rows(db, "SELECT execution FROM inside")}
            self.accounts.wrong["a due time has run twice"] += claimed_twice(db)
            self._check_orders(db)
        by_entry = self._match(log)
        for entry in log:
            self._check_entry(entry, {name: self._executions[name] for name in by_entry[entry.jslid]})
        _measure_gaps(self._executions, probe, self.accounts)

    def _promotions(self, fault: Fault) -> list[Promotion]:
        """Return the promotions of other nodes while the fault lasted."""
        return [
            p for p in self._probe.promotions if fault.struck < p.at < fault.healed and p.port != fault.port
        ]

    def _spontaneous(self, struck: list[Fault]) -> list[Fault]:
        """Return faults that nobody has planned."""
        promotions = sorted(self._probe.promotions)
        return [
            Fault("spontaneous", new.at - SPONTANEOUS, new.at + SPONTANEOUS, old.port)
            for old, new in pairwise(promotions)
            if not any(fault.struck < new.at < fault.healed for fault in struck)
        ]

    def _find(self, what: str, case: Any, at: float, port: int | None = None, lasting: float = LATE) -> None:
        """Enter a finding: lost, if the primary of that time, on this port, has lost its last commits; else wrong."""
        lost = not self._synchronous and any(
            fault.struck - lasting < at < fault.healed + LATE and port in (None, fault.port)
            for fault in self._struck
        )
        (self.accounts.lost if lost else self.accounts.wrong)[what].append(case)

    def _match(self, log: list[Entry]) -> dict[int, list[str]]:
        """Return the executions of each log entry: an execution belongs to the last that was logged before it began."""
        entries: dict[tuple[int, int, int], list[Entry]] = defaultdict(list)
        for entry in log:
            entries[entry.job, entry.run, entry.step].append(entry)
        found: dict[int, list[str]] = defaultdict(list)
        others: dict[str, Execution] = {}
        for name, execution in self._executions.items():
            known = entries[execution.job, execution.run, execution.step]
            if before := [entry for entry in known if entry.started <= execution.began + SKEW]:
                found[before[-1].jslid].append(name)
            else:
                others[name] = execution
        if not self._synchronous:
            for known in entries.values():
                _match_tries(known, found)
        for name, execution in others.items():
            known = entries[execution.job, execution.run, execution.step]
            free = [entry for entry in known if not found[entry.jslid]]
            if (
                free and not self._synchronous
            ):  # it was handed out again, and its launcher has remembered the result
                found[free[0].jslid].append(name)
                continue
            what = f"{execution.kind} executed without a record"
            self._find(what, execution, execution.began, execution.port or None)
        return found

    def _check_entry(self, entry: Entry, executions: dict[str, Execution]) -> None:
        """One handing out is one execution at most, and a success has had its effect."""
        kind = "atomic" if entry.atomic else "sql" if entry.kind == "s" else "batch"
        case = entry, executions
        tries = list(executions.values())
        for later in tries[1:]:
            if entry.retries and "failed" in tries[0].words:  # its next try, of which there is no entry
                self._find(f"{later.kind} executed without a record", later, later.began, later.port or None)
            else:
                self.accounts.wrong[f"{kind} executed twice"].append(case)
        if entry.status == "d" and any(execution.began > entry.ended + SKEW for execution in tries):
            self.accounts.wrong[f"{kind} begun after its run was closed"].append(case)
        effect = any(name in self._inside for name in executions)
        if entry.atomic and effect != (entry.status == "s"):
            self.accounts.wrong["atomic: log and effect differ"].append(case)
        elif entry.status == "s" and not any("end" in execution.words for execution in tries):
            self.accounts.wrong[f"{kind} logged s and not executed to its end"].append(case)
        elif entry.status == "s" and entry.kind == "s" and not effect:
            self._find(
                "sql logged s, its effect is lost", case, tries[-1].began, tries[-1].port, LONGEST_STEP
            )

    def _check_orders(self, db: Db) -> None:
        """What somebody has told to run, and was answered, has run."""
        for job, due in self._story.orders:
            if not rows(db, "SELECT FROM claim WHERE job = %s AND due >= %s", job, due):
                self._find("run_now() was answered and forgotten", (job, due), due.timestamp())


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


# What a launcher says when it has no connection, and when it has one again. While an attempt goes on it waits for the answer.
_ATTEMPT = re.compile(
    r"(?m)^(\S+ \S+) .* action=(?:connect trying again in (\S+) s: (?!.*no answer yet)|serve )"
)


def _pause(log: str, promotion: float) -> float | None:
    """Return how long a launcher has paused, by its own words, before it was back; None if it had not lost its connection."""
    total = 0.0
    for said, seconds in _ATTEMPT.findall(log):
        at = datetime.strptime(said, "%Y-%m-%d %H:%M:%S,%f").timestamp()
        if seconds and at + float(seconds) > promotion:
            total += float(seconds)
        elif not seconds and at > promotion:
            return total
    return None


def pauses(logs: Sequence[str], promotions: Iterable[Promotion]) -> list[float]:
    """Return for each promotion how many seconds the launcher has chosen to wait that did so least, however busy the machine."""
    by_launcher = [[_pause(log, promotion.at) for log in logs] for promotion in promotions]
    return [min(known) for found in by_launcher if (known := [pause for pause in found if pause is not None])]


def summary(accounts: Accounts, struck: list[Fault]) -> str:
    """Return the accounts as lines of text."""
    names = Counter(fault.name for fault in struck)
    lines = [f"faults: {', '.join(f'{count} {name}' for name, count in sorted(names.items()))}"]
    lines.append(f"executions: {accounts.executions}")
    for what, gaps in (("first step", accounts.gaps), ("simple client", accounts.client_gaps)):
        if gaps:
            each = " ".join(f"{gap:.1f}" for gap in sorted(gaps))
            lines.append(
                f"{what} after a promotion: median {statistics.median(gaps):.2f} s, longest {max(gaps):.2f} s ({each})"
            )
    for verdict, findings in (("WRONG", accounts.wrong), ("lost", accounts.lost)):
        lines += [f"{verdict}: {len(cases)} x {what}" for what, cases in sorted(findings.items()) if cases]
    lines += [f"{what}: {case}" for what, cases in accounts.wrong.items() for case in cases[:SHOWN]]
    if any(accounts.wrong.values()):
        lines += map(str, struck)
    return "\n".join(lines)
