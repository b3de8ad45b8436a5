"""Tests whose size can be chosen."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import SearchStrategy

# A busy machine may take long for an example, and every run has examples of its own.
settings.register_profile("tests", deadline=None, database=None, suppress_health_check=list(HealthCheck))
settings.load_profile("tests")


def for_all(
    size: int, check: Callable[..., None], *strategies: SearchStrategy[Any], first: Any = None
) -> None:
    """Check `size` cases that hypothesis draws; `first`, if there is one, before them."""
    test = given(*strategies)(check)
    settings(max_examples=size)(test if first is None else example(first)(test))()


def forms(short: int, long: int) -> pytest.MarkDecorator:
    """Give a test its argument `size` in two forms: [short] for `make test`, [long], marked so, for `make test-long`.

    Whatever is repeated, the short form takes seconds, all of a suite two minutes at most.
    """
    return pytest.mark.parametrize(
        "size", [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.long)]
    )
