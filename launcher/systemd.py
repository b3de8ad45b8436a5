"""Word to systemd (Type=notify)."""

from __future__ import annotations

import contextlib
import os
import socket


def notify_systemd(state: str) -> None:
    """Send *state*, for example READY=1, to the service manager if there is one (sd_notify's protocol)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        # The launcher goes on if the service manager does not listen.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
