"""What the tests of the protocol share."""

from collections.abc import Iterator

import pytest

from tests.helpers import Db
from tests.helpers.protocol import Agent


@pytest.fixture
def needing(db: Db) -> None:
    """Let steps with the name x need their agent to know x."""
    db.execute(
        "CREATE OR REPLACE VIEW pgagent_py.any_need AS SELECT true AS needed;"
        "CREATE OR REPLACE VIEW pgagent_py.step_need AS"
        " SELECT s.jstjobid AS jobid, s.jstid, 'x' AS need FROM pgagent.pga_jobstep s WHERE s.jstname = 'x'"
    )


@pytest.fixture
def knowing(database: str) -> Iterator[Agent]:
    """Return an agent that knows x."""
    agent = Agent(database, knows=["w", "x"])
    yield agent
    agent.close()
