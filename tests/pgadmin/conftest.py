"""pgAdmin itself, as a program on one's own machine serves it, and its page in a browser. `make test-pgadmin` installs it."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright
from port_for import get_port

from tests.helpers import Cluster, Db, wait_for
from tests.helpers.waiting import PATIENCE
from tests.web.conftest import CHROMIUM

# Its settings are a module of its own; the others follow from HOME.
RUN = """
import builtins, importlib.util, os, runpy, sys
port, program, *arguments = sys.argv[1:]
(home,) = importlib.util.find_spec("pgadmin4").submodule_search_locations
builtins.SERVER_MODE = False
sys.path.insert(0, home)
import config
config.DEFAULT_SERVER_PORT = int(port)
config.MASTER_PASSWORD_REQUIRED = config.UPGRADE_CHECK_ENABLED = config.USE_OS_SECRET_STORAGE = False
sys.argv = [program, *arguments]
runpy.run_path(os.path.join(home, program), run_name="__main__")
"""


@pytest.fixture
def pgadmin(cluster: Cluster, db: Db, tmp_path: Path) -> Iterator[str]:
    """Return the address of a pgAdmin that knows the server "lab" with the test's database."""
    tools = Path(shutil.which("ruff") or "").resolve().parent.parent
    python = tools.with_name(f"{tools.name}-pgadmin") / "bin" / "python"
    port = str(get_port(None))
    servers = tmp_path / "servers.json"
    server = {"Name": "lab", "Group": "Servers", "Host": str(cluster.directory), "Port": cluster.port,
              "MaintenanceDB": db.info.dbname, "Username": "postgres", "SSLMode": "prefer"}  # fmt: skip
    servers.write_text(json.dumps({"Servers": {"1": server}}))
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    command = [str(python), "-c", RUN, port]
    log = tmp_path / "pgadmin.log"
    with log.open("w") as output:
        options: dict[str, Any] = {
            "env": environment,
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": output,
        }
        subprocess.run([*command, "setup.py", "setup-db"], check=True, **options)
        subprocess.run([*command, "setup.py", "load-servers", str(servers)], check=True, **options)
        process = subprocess.Popen([*command, "pgAdmin4.py"], **options)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(port))) == 0

    wait_for(answers, what="pgAdmin")
    yield f"http://127.0.0.1:{port}/browser/"
    process.kill()
    process.wait()


@pytest.fixture
def page(pgadmin: str) -> Iterator[Page]:
    """Return its page, connected to the server."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(pgadmin)
        # It opens its only server with them. The socket asks for no password.
        page.get_by_text("Servers", exact=True).first.dblclick()
        page.get_by_label("Connect to Server").locator("input[type=password]").fill("x")
        page.keyboard.press("Enter")
        page.get_by_text("pgAgent Jobs", exact=True).wait_for()
        yield page
        browser.close()
