"""Steps as they are handed out."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from launcher.step import StepRun

from .waiting import PATIENCE


def row_of_step_run(kind: str, code: str, **columns: Any) -> StepRun:
    """Return a row of step_run."""
    run = StepRun(
        jobid=11,
        jlgid=12,
        jstid=13,
        jslid=14,
        jobname="job 'n' \u00fc",
        jstname="$(step)",
        jstkind=kind,
        jstcode=code,
        jstdbname="",
        jstconnstr="",
    )
    return replace(run, **columns)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition without holding up the steps."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
