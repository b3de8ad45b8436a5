"""How to reach the mail server."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

SETTINGS_PREFIX = "PGAGENT_PY_SMTP_"
PORTS = {"none": 25, "starttls": 587, "tls": 465}


@dataclass(frozen=True, kw_only=True)
class Smtp:
    """How to reach the mail server. *security* is none, starttls or tls; *user* '' means without a login."""

    host: str = "localhost"
    port: int = PORTS["none"]
    security: str = "none"
    user: str = ""
    password: str = ""
    sender: str = ""

    def __repr__(self) -> str:
        """Return what may be shown: not the password."""
        return f"Smtp({self.host}:{self.port})"


def read_smtp(environment: MutableMapping[str, str]) -> Smtp:
    """Take the mail server's settings out of *environment*, so that no step inherits them. Raises `ValueError`."""
    given = {name: environment.pop(name) for name in list(environment) if name.startswith(SETTINGS_PREFIX)}
    values = {name.removeprefix(SETTINGS_PREFIX).lower(): value for name, value in given.items()}
    if unknown := values.keys() - {"host", "port", "security", "user", "password", "from"}:
        raise ValueError(f"{SETTINGS_PREFIX}{unknown.pop().upper()} is not a setting")
    security = values.get("security") or "none"
    if security not in PORTS:
        raise ValueError(f"{SETTINGS_PREFIX}SECURITY must be none, starttls or tls")
    port = values.get("port") or str(PORTS[security])
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{SETTINGS_PREFIX}PORT is not a port number")
    return Smtp(
        host=values.get("host") or "localhost",
        port=int(port),
        security=security,
        user=values.get("user", ""),
        password=values.get("password", ""),
        sender=values.get("from", ""),
    )
