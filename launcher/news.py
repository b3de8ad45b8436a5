"""News from the extension for the log: runs that ended badly without a step here, and agents that were found gone."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from typing import Any

from psycopg.errors import Diagnostic

from .log import Event
from .step import WORDS

logger = logging.getLogger("pgagent_py")

NEWS = "pgagent_py: news"  # the notice, with a JSON object as its detail


class News:
    """Collects what comes with the answer of run_due."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._heard: list[dict[str, Any]] = []

    def notice(self, notice: Diagnostic) -> None:
        """Take a notice of the server, if it is one of these."""
        if notice.message_primary == NEWS:
            self._heard.append(json.loads(notice.message_detail or "{}"))

    def log(self, logged: Collection[int]) -> None:
        """Write it into the log, but for the steps (jslid) that were *logged* when they failed."""
        heard, self._heard = self._heard, []
        for news in heard:
            if gone := news.get("gone", 0):
                runs = sum(run["status"] == "d" for run in news["runs"])
                logger.info(Event("take_over", f"agents that are gone: {gone}; runs closed: {runs}"))
            for run in news["runs"]:
                if run.pop("jslid") not in logged:
                    words, status = run.pop("words") or "", WORDS[run.pop("status")]
                    logger.warning(Event("finish_run", words, **run, status=status))
