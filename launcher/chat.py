"""Messages to chat and pager services, by the library apprise: the extra chat of the package brings it."""

from __future__ import annotations

import queue
import threading

NOT_INSTALLED = "chat: the package apprise is not installed here: pip install 'pgagent-py[chat]'"


def send_chat(target: str, title: str, text: str, seconds: float) -> tuple[str, bool] | None:
    """Send *text* to the service that the URL *target* names; return what went wrong, and whether it would do so again.

    No error names the target. *seconds*: how long it may take; apprise itself waits as long as the service says something.
    """
    try:
        import apprise  # not there without the extra, and it takes a while
    except ImportError:
        return NOT_INSTALLED, False
    service = apprise.Apprise()
    if not service.add(target):
        return "chat: the target is no URL that apprise knows", True
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def notify() -> None:
        try:
            answers.put(bool(service.notify(body=text, title=title)))
        except Exception:  # its text may hold the URL
            answers.put(False)

    threading.Thread(target=notify, daemon=True).start()
    try:
        sent = answers.get(timeout=seconds)
    except queue.Empty:
        return "chat: timed out", False
    return None if sent else ("chat: the service has not taken it", False)
