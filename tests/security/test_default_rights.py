"""The extension works where the administrator has taken away what PUBLIC has by default."""

from tests.conftest import StartLauncher
from tests.helpers import Cluster, call, output, run_to_end, serving, stop, value
from tests.helpers.roles import login

LESS = """
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
CREATE EXTENSION pgagent_py CASCADE"""
MORE = """
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON ROUTINES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC"""
RIGHTS = """
SELECT p.oid::regprocedure::text, has_function_privilege('mallory', p.oid, 'EXECUTE') FROM pg_proc p
 WHERE p.pronamespace = 'pgagent_py'::regnamespace ORDER BY 1"""


def test_the_roles_work_without_default_rights(
    server: Cluster, address: str, launcher: StartLauncher
) -> None:
    with server.connect() as admin:
        admin.execute("CREATE DATABASE strict")
    strict = server.conninfo("strict")
    with login(strict, "postgres") as admin, login(address, "postgres") as usual:
        admin.execute(LESS)
        admin.execute(MORE)
        assert admin.execute(RIGHTS).fetchall() == usual.execute(RIGHTS).fetchall()
        agent = serving(launcher("-l", "2", server.conninfo("strict", user="starter")))
        with login(strict, "alice") as alice:
            job = call(alice, "add_job", "hers", sql="SELECT current_user", cron="0 0 1 1 *")
            call(alice, "add_step", job, "atomic", sql="SELECT 1", atomic=True)
            assert run_to_end(admin, job).status == "s", output(admin, job)
            call(alice, "alter_job", job, enabled=False)
            assert value(alice, "SELECT count(*) FROM pgagent_py.run_history") == 2
            assert alice.execute("SELECT count(*) FROM pgagent_py.run_due()").fetchone() == (0,)
        stop(agent)
