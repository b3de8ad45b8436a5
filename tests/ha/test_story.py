"""The story: jobs of all kinds under Patroni, while primaries, Patronis, etcd and launchers are killed and frozen."""

import contextlib
import os
import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import StartLauncher
from tests.ha.accounts import Accounts, Comparison, pauses, summary
from tests.ha.faults import LAUNCHERS, Faults
from tests.ha.patroni import PatroniCluster
from tests.ha.probe import CLIENT_PAUSE, Probe
from tests.ha.story import DATABASE, Story
from tests.helpers import agents, forms, wait_for

Tell = Callable[[bool, Callable[[Faults], list[Callable[[], None]]]], Accounts]


@pytest.fixture
def tell(
    scratch: Path,
    launcher: StartLauncher,
    record_property: Callable[[str, object], None],
) -> Iterator[Tell]:
    """Return the function that tells a story, synchronous or not, with the faults that are chosen, and returns the accounts."""
    seed = int(os.environ.get("PGAGENT_PY_SEED", random.randrange(10**6)))
    print(f"PGAGENT_PY_SEED={seed}")
    with contextlib.ExitStack() as stack:

        def tell(synchronous: bool, choose: Callable[[Faults], list[Callable[[], None]]]) -> Accounts:
            cluster = PatroniCluster(scratch / f"ha{len(list(scratch.iterdir()))}", synchronous)
            probe = stack.enter_context(
                contextlib.closing(Probe(cluster))
            )  # ends after the cluster, which might be frozen
            stack.enter_context(contextlib.closing(cluster))
            cluster.start()
            story = Story(cluster)
            probe.start()
            faults = Faults(story, probe, launcher, random.Random(seed))
            with cluster.connect(DATABASE) as db:
                wait_for(lambda: agents(db) == LAUNCHERS, what="the launchers")
            story.start_calling()
            faults.strike(*choose(faults))
            stuck = story.end()
            accounts = Comparison(story, probe, faults.struck, synchronous).accounts
            accounts.wrong["stuck"] += stuck
            accounts.pauses = pauses([agent.log_text() for agent in faults.launchers], probe.promotions)
            record_property("summary", summary(accounts, faults.struck))
            for agent in faults.launchers:
                assert agent.process.poll() is None, agent.log_text()[-2000:]
                assert "Traceback" not in agent.log_text(), agent.log_text()
            return accounts

        yield tell


@pytest.mark.long
def test_launchers_go_on_after_a_switchover(tell: Tell) -> None:
    """Jobs of all kinds go on at the new primary, and the log tells all that was executed."""
    accounts = tell(True, lambda faults: [faults.switch_over])
    assert not any(accounts.wrong.values()), dict(accounts.wrong)
    assert accounts.gaps


@forms(2, 20)
@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
def test_story(tell: Tell, size: int, synchronous: bool) -> None:
    """After so many faults nothing is stuck, and the log tells what has happened, as far as the kind of replication lets it."""
    accounts = tell(synchronous, lambda faults: faults.some(size if synchronous else size - 1))
    assert not any(accounts.wrong.values()), dict(accounts.wrong)
    # A launcher pauses no longer than a client that tries once a second; one attempt may be in vain as the promotion comes.
    assert statistics.median(accounts.pauses) <= 2 * CLIENT_PAUSE, accounts.pauses
    assert accounts.gaps
