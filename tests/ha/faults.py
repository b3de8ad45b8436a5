"""What befalls the cluster and the launchers. Each fault strikes, and is healed before it returns."""

import contextlib
import random
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from tests.conftest import StartLauncher
from tests.ha.patroni import TIMES, Node, Process
from tests.ha.probe import Probe
from tests.ha.story import DATABASE, Story
from tests.helpers import Launcher, rows, wait_for

LAUNCHERS = 3
LONG = TIMES["ttl"] + 5.0  # seconds in which a primary that does not react is replaced


class Fault(NamedTuple):
    """When a fault struck, when the cluster was healthy again, and the port of the primary that it struck."""

    name: str
    struck: float
    healed: float
    port: int


class Faults:
    """The faults, by chance."""

    def __init__(self, story: Story, probe: Probe, launcher: StartLauncher, chance: random.Random) -> None:
        self._cluster, self._story, self._probe, self._chance = story.cluster, story, probe, chance
        self._start = launcher
        self.launchers = [self._launch() for _ in range(LAUNCHERS)]
        self.struck: list[Fault] = []

    def some(self, count: int) -> list[Callable[[], None]]:
        """Return so many faults, first those that matter most."""
        first: list[Callable[[], None]] = [
            self.kill_primary,
            self.freeze_primary,
            self.kill_launcher,
            self.switch_over,
        ]
        others = [
            self.kill_postmaster, self.freeze_node, self.kill_patroni, self.freeze_patroni, self.kill_etcd, self.freeze_etcd,
            self.kill_backend, self.kill_replica, self.freeze_launcher,
        ]  # fmt: skip
        return first[:count] + self._chance.choices(first + others, k=count - len(first))

    def strike(self, *faults: Callable[[], None]) -> None:
        """Let them strike one after another; after each the cluster must become healthy, and jobs go on."""
        for fault in faults:
            time.sleep(self._chance.uniform(0, 2))  # instants to be tried
            began, port = time.time(), self._cluster.primary().port
            fault()
            self._cluster.wait_until_healthy()
            self.struck.append(Fault(fault.__name__, began, time.time(), port))
            self._wait_for_an_execution()

    def kill_primary(self) -> None:
        """The server of the primary is gone at once; what its replicas lack then is lost if it is asynchronous."""
        primary = self._cluster.primary()
        self._hold_replication(primary)
        primary.signal_server(signal.SIGKILL)

    def kill_postmaster(self) -> None:
        """Its first process is killed, the others notice."""
        if first := self._cluster.primary().postmaster():
            first.kill()

    def freeze_primary(self) -> None:
        """The server stands still until another node has been primary for a while."""
        primary = self._cluster.primary()
        self._hold_replication(primary)
        primary.signal_server(signal.SIGSTOP)
        self._wait_for_another()
        primary.signal_server(signal.SIGCONT)

    def freeze_node(self) -> None:
        """So do server and Patroni."""
        primary = self._cluster.primary()
        primary.patroni.signal(signal.SIGSTOP)
        primary.signal_server(signal.SIGSTOP)
        self._wait_for_another()
        primary.signal_server(signal.SIGCONT)
        primary.patroni.signal(signal.SIGCONT)

    def switch_over(self) -> None:
        """Another node is made the primary as it is done for maintenance."""
        self._cluster.switch_over()

    def kill_patroni(self) -> None:
        """Nobody looks after the primary, which goes on, also when another is one."""
        patroni = self._cluster.primary().patroni
        patroni.kill()
        self._pause()
        patroni.start()

    def freeze_patroni(self) -> None:
        """The same, and it comes back with what it knew."""
        self._freeze(self._cluster.primary().patroni)

    def kill_etcd(self) -> None:
        """Nobody knows who is primary: after a while there is none."""
        self._cluster.etcd.kill()
        self._pause()
        self._cluster.etcd.start()

    def freeze_etcd(self) -> None:
        """The same, without an answer."""
        self._freeze(self._cluster.etcd)

    def kill_backend(self) -> None:
        """A launcher's backend crashes, and all others with it."""
        with self._cluster.connect(DATABASE) as db:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgagent-py' ORDER BY random() LIMIT 1"
            for (pid,) in rows(db, query):
                with contextlib.suppress(psutil.Error):
                    psutil.Process(pid).kill()

    def kill_replica(self) -> None:
        """A replica is gone, the synchronous one perhaps: the primary's commits wait."""
        primary = self._cluster.primary()
        self._chance.choice([node for node in self._cluster.nodes if node is not primary]).signal_server(
            signal.SIGKILL
        )

    def kill_launcher(self) -> None:
        """One dies, another is started after a while."""
        self.launchers.pop(self._chance.randrange(LAUNCHERS)).kill()
        time.sleep(self._chance.uniform(0, 3))
        self.launchers.append(self._launch())

    def freeze_launcher(self) -> None:
        """One stands still, for a moment or so long that it is missed."""
        launcher = self._chance.choice(self.launchers)
        launcher.signal(signal.SIGSTOP)
        self._pause()
        launcher.signal(signal.SIGCONT)

    def _launch(self) -> Launcher:
        return self._start("-l", "2", self._cluster.conninfo(DATABASE))

    def _pause(self) -> None:
        time.sleep(self._chance.uniform(1, LONG))

    def _freeze(self, process: Process) -> None:
        process.signal(signal.SIGSTOP)
        self._pause()
        process.signal(signal.SIGCONT)

    def _hold_replication(self, primary: Node) -> None:
        """Let the replicas lag, for a moment."""
        for process in primary.server():
            with contextlib.suppress(psutil.Error):
                if "walsender" in " ".join(process.cmdline()):
                    process.suspend()
        time.sleep(self._chance.uniform(0.2, 2))

    def _wait_for_another(self) -> None:
        """Wait until another node is primary, and a while longer."""
        count = len(self._probe.promotions)
        wait_for(lambda: len(self._probe.promotions) > count, what="another primary")
        time.sleep(self._chance.uniform(0, 8))

    def _wait_for_an_execution(self) -> None:
        """Wait until a step is executed that was handed out after all this."""
        size = self._story.file.stat().st_size
        wait_for(
            lambda: b" begin " in self._story.file.read_bytes()[size:],
            what="a step to be executed",
            every=0.1,
        )
