"""The Python modules in the catalog, as a session loads them."""

import psycopg

from tests.helpers import Db, call, value

LOADED = """
CREATE FUNCTION pg_temp.loaded() RETURNS text[] LANGUAGE plpython3u AS $$
import sys
return [name for name in sys.modules if name.startswith("pgagent_py.")]
$$"""


def test_a_call_loads_the_modules_that_it_needs(database: str, db: Db) -> None:
    job = call(db, "add_job", "a", cron="0 3 * * *", sql="SELECT 1")
    all_modules = value(db, "SELECT count(*) FROM pgagent_py._code()")
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("SELECT * FROM pgagent_py.upcoming_runs()")
        session.execute(f"SELECT pgagent_py.next_runs({job})")
        session.execute(LOADED)
        loaded = value(session, "SELECT pg_temp.loaded()")
    assert "pgagent_py.rules.next_run" in loaded
    assert not [name for name in loaded if name.startswith(("pgagent_py.api.", "pgagent_py.runs."))]
    assert len(loaded) < all_modules / 3


def test_a_session_that_knows_an_earlier_build_loads_this_one(db: Db) -> None:
    db.execute("SELECT * FROM pgagent_py.upcoming_runs()")
    db.execute("DO LANGUAGE plpython3u $$ import pgagent_py.rules.next_run as m; m.earlier = True $$")
    db.execute("SELECT pgagent_py._load()")
    db.execute("SELECT * FROM pgagent_py.upcoming_runs()")
    db.execute(
        "DO LANGUAGE plpython3u $$\nimport sys, pgagent_py.rules.next_run as m\n"
        "assert not hasattr(m, 'earlier')\n"
        "assert len([f for f in sys.meta_path if 'pgagent_py' in getattr(f, 'packages', ())]) == 1\n$$"
    )
