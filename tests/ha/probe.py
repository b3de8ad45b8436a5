"""When the cluster could be written to: asked of each node all the time, and by a loop that any client could have."""

import contextlib
import threading
import time
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from tests.ha.patroni import Node, PatroniCluster
from tests.ha.story import DATABASE

ASK_EVERY = 0.05  # seconds
CLIENT_PAUSE = 1.0  # seconds between two attempts of the client that is compared with


class Promotion(NamedTuple):
    """A node has become a primary that commits."""

    at: float
    port: int


class Probe:
    """Threads that look at the cluster until it is closed."""

    def __init__(self, cluster: PatroniCluster) -> None:
        self.promotions: list[Promotion] = []
        self.found: list[tuple[float, int]] = []  # when the client has found which port
        self._was_standby: dict[int, bool] = {}  # by port
        self._ended = threading.Event()
        self._cluster = cluster
        self._threads = [threading.Thread(target=self._look_at, args=[node]) for node in cluster.nodes]
        self._threads.append(threading.Thread(target=self._be_a_client))

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Look no more; a frozen server would keep it waiting."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident:
                thread.join()

    def _look_at(self, node: Node) -> None:
        """Note when this node commits after it has not been a primary."""
        self._was_standby[node.port] = False
        while not self._ended.wait(ASK_EVERY):
            with contextlib.suppress(psycopg.Error), psycopg.connect(node.conninfo(DATABASE)) as connection:
                connection.autocommit = True
                while not self._ended.wait(ASK_EVERY):
                    self._ask(connection, node.port)

    def _ask(self, connection: psycopg.Connection[Any], port: int) -> None:
        ((standby,),) = connection.execute("SELECT pg_is_in_recovery()").fetchall()
        if standby:
            self._was_standby[port] = True
            return
        connection.execute("UPDATE probe SET at = clock_timestamp()")
        if self._was_standby[port]:
            self.promotions.append(Promotion(time.time(), port))
            self._was_standby[port] = False

    def _be_a_client(self) -> None:
        """Connect anew each time, to whatever node is primary."""
        conninfo = make_conninfo(
            self._cluster.conninfo(DATABASE), target_session_attrs="read-write", connect_timeout=2
        )
        while not self._ended.wait(CLIENT_PAUSE):
            with contextlib.suppress(psycopg.Error), psycopg.connect(conninfo) as connection:
                self.found.append((time.time(), connection.info.port))
