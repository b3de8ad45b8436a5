"""The dead man's ping: an outside monitor is called while the launcher serves, and misses the call when it is gone."""

from __future__ import annotations

import asyncio
import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from ..handshake import launcher_version
from ..log import Event
from ..threads import in_thread

logger = logging.getLogger("pgagent_py")

PING_SECONDS = 60.0
LOOK_SECONDS = 1.0  # for the service to begin
TIMEOUT_SECONDS = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address is a secret: it is told to nobody else."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""


def check_url(text: str) -> str:
    """Return *text* if it is a URL that can be called. Raise ValueError, which does not quote it."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("the address to ping is no URL that begins with http:// or https://")
    return url


def call(url: str) -> str:
    """Call the address; return what went wrong, without the address, or ''."""
    request = urllib.request.Request(url, headers={"User-Agent": f"pgagent-py/{launcher_version()}"})
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP status {error.code}"
    except urllib.error.URLError as error:
        return type(error.reason).__name__ if isinstance(error.reason, Exception) else "no connection"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return type(error).__name__


async def ping(url: str, is_serving: Callable[[], bool]) -> None:
    """Call *url* every minute as long as *is_serving*. A failure is said once, until a call succeeds again."""
    failed = False
    while True:
        if not is_serving():
            await asyncio.sleep(LOOK_SECONDS)
            continue
        error = await in_thread(call, url)
        if error and not failed:
            logger.warning(Event("ping", f"failed: {error}"))
        elif failed and not error:
            logger.info(Event("ping", "succeeds again"))
        failed = bool(error)
        await asyncio.sleep(PING_SECONDS)
