"""A random walk over the protocol: agents, users and a daemon do what they may in any order; what must hold holds."""

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg

from tests.conftest import TEMPLATE
from tests.helpers import Cluster, forms
from tests.integration.walk.agent import Agent
from tests.integration.walk.daemon import Daemon
from tests.integration.walk.model import Model, ViolationError
from tests.integration.walk.quiet import AGE, close_down, settle
from tests.integration.walk.users import Users
from tests.integration.walk.world import build

AGENTS = 3
OPERATIONS = 300
STORY = 60  # what is told of a walk that fails: so much of what was done last
AT_ONCE = 3  # walks side by side, each in a database of its own


class Walk:
    """One walk: everything that happens in it follows from its seed, but for what depends on the time that it takes."""

    def __init__(self, conninfo: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self.conninfo = conninfo
        self.model = Model()
        self.db = psycopg.connect(conninfo, autocommit=True)
        self.db.execute("SELECT setseed(%s)", [self.chance.random()])
        build(self.db, self.chance)
        self.users = Users(conninfo, self.db, self.model, self.chance)
        self.agents = [Agent(number, conninfo, self.db, self.model, self.chance) for number in range(AGENTS)]
        self.daemon: Daemon | None = None
        self.done: list[str] = []

    def run(self, operations: int) -> None:
        """Go so many steps, then let it become quiet, and check."""
        choices = self._choices()
        for _ in range(operations):
            act = self.chance.choices([act for act, _ in choices], [weight for _, weight in choices])[0]
            self.done.append(act.__name__)
            act()
        settle(self)
        self.model.check_end(self.db)
        close_down(self)

    def close(self) -> None:
        """End all connections."""
        if self.daemon:
            self.daemon.db.close()
        for agent in self.agents:
            agent.close()
        self.users.close()
        self.db.close()

    def _choices(self) -> list[tuple[Callable[[], None], int]]:
        acts: list[tuple[Callable[[], None], int]] = [
            (self.turn, 30),
            (self.step_ends, 25),
            (self.connection, 5),
        ]
        acts += [(self.age, 1), (self.act_as_daemon, 4)]
        users = self.users
        weights = {
            users.run_now: 15, users.cancel: 1, users.release: 1, users.edit: 3, users.add: 2, users.purge: 2,
            users.pause_or_limit: 1, users.hold: 6, users.let_go: 6, users.run_due: 2,
        }  # fmt: skip
        return acts + [(self._by_user(act), weight) for act, weight in weights.items()]

    def _by_user(self, act: Callable[[], None]) -> Callable[[], None]:
        def try_to() -> None:
            self.users.try_to(act)

        try_to.__name__ = act.__name__
        return try_to

    def turn(self) -> None:
        """An agent takes a turn, or comes to the end of the one that it takes."""
        agent = self.chance.choice(self.agents)
        if agent.db is None:
            agent.connect()
        elif agent.turn:
            agent.end_turn(self.chance.choices(["answered", "lost", "cut"], [6, 1, 1])[0])
        else:
            agent.take_turn(self.chance.choices(["answered", "lost", "cut", "open"], [10, 2, 1, 3])[0])

    def step_ends(self) -> None:
        """A step of an agent ends, or it hears of a cancelled run."""
        agent = self.chance.choice(self.agents)
        if agent.db is not None and agent.turn is None and self.chance.random() < 0.1:
            agent.look_for_cancelled()
        elif agent.db is not None and agent.turn is None and self.chance.random() < 0.3:
            agent.hand_back(self.chance.choices(["answered", "lost", "cut"], [6, 1, 1])[0])
        if agent.db is not None:
            agent.begin_waiting()
        agent.end_a_step()

    def connection(self) -> None:
        """An agent loses its connection, dies or leaves."""
        agent = self.chance.choice(self.agents)
        how = self.chance.random()
        if how < 0.6:
            agent.disconnect(half_open=how < 0.2)
        elif how < 0.8:
            agent.die()
        elif agent.db is not None and agent.turn is None:
            agent.stop()

    def age(self) -> None:
        """The grace time of those who were missed is over."""
        for agent in self.agents:
            if agent.db is None:
                agent.is_missed()
        self.db.execute(AGE)

    def act_as_daemon(self) -> None:
        """pgAgent's daemon starts, does something, or dies."""
        if self.daemon is None:
            self.daemon = Daemon(self.conninfo, self.model, self.chance)
        elif self.chance.random() < 0.15:
            self.daemon.die()
            self.daemon = None
        else:
            self.daemon.act()


def walk(cluster: Cluster, seed: int) -> Counter[str]:
    """Take the walk of this seed in a database of its own; return how often what was done."""
    name = f"walk_{uuid4().hex}"
    with cluster.connect() as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
    with contextlib.closing(Walk(cluster.conninfo(name), seed)) as path:
        try:
            path.run(OPERATIONS)
        except Exception as error:
            story = "\n".join(path.model.story[-STORY:])
            told = (
                f"PGAGENT_PY_SEED={seed}, after {len(path.done)} operations: {type(error).__name__}: {error}"
            )
            raise ViolationError(f"{told}\n{story}\n{told}") from error
    with cluster.connect() as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    return Counter(path.done)


@forms(8, 400)
def test_random_walk(own_cluster: Cluster, size: int) -> None:
    """So many walks of 300 operations, each with a seed of its own; PGAGENT_PY_SEED repeats a single one."""
    given = os.environ.get("PGAGENT_PY_SEED")
    seeds = [int(given)] if given else [random.randrange(10**6) for _ in range(size)]
    happened: Counter[str] = Counter()
    failed: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in pool.map(lambda seed: _outcome(own_cluster, seed), seeds):
            if isinstance(done, str):
                failed.append(done)
            else:
                happened += done
    print(f"{len(seeds)} walks, seeds {seeds}: {dict(happened.most_common())}")
    assert not failed, f"{len(failed)} of {len(seeds)} walks:\n" + "\n\n".join(failed)


def _outcome(cluster: Cluster, seed: int) -> Counter[str] | str:
    try:
        return walk(cluster, seed)
    except ViolationError as violation:
        return str(violation)
