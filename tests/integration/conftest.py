"""What tests of SQL share that play a launcher themselves."""

from collections.abc import Iterator

import pytest

from tests.helpers.protocol import Agent


@pytest.fixture
def agent(database: str) -> Iterator[Agent]:
    """Return an agent on the host here.example."""
    agent = Agent(database)
    yield agent
    agent.close()
