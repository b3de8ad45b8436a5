"""Logical replication: a publication of all tables holds nothing up, and a subscription's target runs no jobs by itself."""

from collections.abc import Iterator

import pytest

from tests.helpers import Cluster, Db, add_dependency, add_due_job, add_job, call, rows, run_due, value
from tests.helpers.filled_database import JOBS, NEWER, RUNS

DATABASE = "pgagent_py_template"


@pytest.fixture
def publisher(own_cluster: Cluster) -> Iterator[Db]:
    """Return a connection to a database that publishes all of its tables."""
    own_cluster.stop()
    own_cluster.start(wal_level="logical")
    with own_cluster.connect(DATABASE) as db:
        db.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        yield db


def test_every_table_of_both_extensions_has_a_replica_identity(db: Db) -> None:
    query = """
        SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace) AND c.relkind IN ('r', 'p')
           AND CASE c.relreplident WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
                                   ELSE c.relreplident = 'n' END"""
    assert rows(db, query) == []


def test_a_publication_of_all_tables_stops_no_job(publisher: Db) -> None:
    publisher.execute(JOBS + RUNS + NEWER)
    first = add_due_job(publisher, "first", "SELECT 1")
    add_dependency(publisher, add_job(publisher, "second", "SELECT 2"), first, "finish")
    call(publisher, "pause", "Data Export")
    call(publisher, "resume", "Data Export")
    call(publisher, "set_limit", "Data Export", running=3)
    call(publisher, "set_limit", "Data Export", running=None)
    assert run_due(publisher) == ["first", "second"]
    assert value(publisher, "SELECT count(*) FROM pgagent_py.problems") == 0
