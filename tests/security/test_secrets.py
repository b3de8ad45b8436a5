"""The launcher's secrets stay with it: no batch step gets one, from the environment or from /proc."""

import json
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from tests.conftest import StartLauncher
from tests.helpers import PASSWORD, Cluster, Db, Launcher, add_job, output, run_to_end, serving, stop

MAIL_PASSWORD = "the mail server's"
# Every process that the step may look into, as a process of the same user.
LOOK = """#!/usr/bin/env python3
import glob, json, os
found = {}
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        found[path] = open(path, "rb").read().decode(errors="replace")
    except OSError:
        pass
print(json.dumps({"own": dict(os.environ), "found": found}))
"""


def look(admin: Db) -> dict[str, Any]:
    """Return what a batch step sees."""
    job = add_job(admin, "look", {"batch": LOOK})
    assert run_to_end(admin, job).status == "s", output(admin, job)
    return dict(json.loads(output(admin, job)))


def seen(found: dict[str, str], secret: str, agent: Launcher) -> list[str]:
    """Return where *secret* was found among the processes of *agent*: other tests have launchers and secrets of their own."""
    family = {path.split("/")[2] for path, text in found.items() if f"TMPDIR={agent.temporary}" in text}
    return [path for path, text in found.items() if secret in text and path.split("/")[2] in family]


@pytest.mark.parametrize("where", ["variable", "string", "uri"])
def test_a_batch_step_finds_no_password_of_the_launcher(
    server: Cluster, admin: Db, launcher: StartLauncher, where: str
) -> None:
    conninfo, env = server.conninfo("jobs", host="127.0.0.1"), {"PGAGENT_PY_SMTP_PASSWORD": MAIL_PASSWORD}
    if where == "variable":
        env["PGPASSWORD"] = PASSWORD
    elif where == "string":
        conninfo = make_conninfo(conninfo, password=PASSWORD)
    else:
        quoted = PASSWORD.replace(" ", "%20")
        conninfo = f"postgresql://postgres:{quoted}@127.0.0.1:{server.port}/jobs"
    agent = serving(launcher("-l", "2", conninfo, env=env | {"PGAPPNAME": "kept"}))
    saw = look(admin)
    assert f"/proc/{agent.pid}/environ" in saw["found"]
    assert saw["own"]["PGAPPNAME"] == "kept"
    assert "PGPASSWORD" not in saw["own"]
    for secret in (PASSWORD, MAIL_PASSWORD):
        assert seen(saw["found"], secret, agent) == []
        assert secret not in json.dumps(saw["own"])
    stop(agent)


def test_pass_env_hands_the_password_on(server: Cluster, admin: Db, launcher: StartLauncher) -> None:
    conninfo = server.conninfo("jobs", host="127.0.0.1")
    agent = serving(launcher("-l", "2", "--pass-env", "PGPASSWORD", conninfo, env={"PGPASSWORD": PASSWORD}))
    saw = look(admin)
    assert saw["own"]["PGPASSWORD"] == PASSWORD
    assert f"/proc/{agent.pid}/environ" not in seen(saw["found"], PASSWORD, agent)
    stop(agent)


def test_psql_in_a_batch_step_finds_its_server_by_the_launchers_environment(
    server: Cluster, admin: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:postgres:{PASSWORD}\n")
    passfile.chmod(0o600)
    env = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres", "PGDATABASE": "jobs"}
    agent = serving(launcher("-l", "2", "dbname=jobs", env=env | {"PGPASSFILE": str(passfile)}))
    job = add_job(admin, "psql", {"batch": f"{server.bin_dir}/psql -Atc 'SELECT current_database()'"})
    assert run_to_end(admin, job).status == "s", output(admin, job)
    assert output(admin, job) == "jobs\n"
    stop(agent)


def test_steps_with_a_connection_string_still_use_the_launchers_password(
    server: Cluster, admin: Db, launcher: StartLauncher
) -> None:
    """As with pgAgent, libpq takes it from the environment for jobs that nobody owns."""
    conninfo = server.conninfo("jobs", host="127.0.0.1")
    agent = serving(launcher("-l", "2", conninfo, env={"PGPASSWORD": PASSWORD}))
    job = add_job(admin, "remote", {"sql": "SELECT 1", "connstr": conninfo})
    assert run_to_end(admin, job).status == "s", output(admin, job)
    stop(agent)
