"""Connection strings: read, completed, without secrets in messages."""

from __future__ import annotations

import os
import re
from typing import TypeAlias

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Lets the server notice at once that a connection was dropped, since its step takes no cancel request or the launcher was killed,
# and within half a minute that the network was cut; and end what it had running, before another launcher closes the run.
CHECK_CLIENT = (
    "-c client_connection_check_interval=200"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
_LIBPQ_OPTIONS = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
# Those that libpq itself would not show, and keys that are as good as a password.
SECRET_OPTIONS = frozenset({"scram_client_key", "scram_server_key"}) | {
    option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar == b"*"
}
# So that a dead network is noticed within a minute, also by a step that only waits for its result.
_DEFAULTS = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60000,
}


Params: TypeAlias = dict[str, str | int | None]

DEFAULTS = {"fallback_application_name": "pgagent-py", "connect_timeout": "10"}
# So that the launcher notices a dead network before the server does, and comes back before anyone closes its runs.
LIVELY = {
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "client_encoding": "UTF8",
}


class TargetError(Exception):
    """A step can't get a connection; the text has libpq's or the server's words, and no secret."""


def server_conninfo(conninfo: str) -> str:
    """Return *conninfo* with what the launcher adds: of several hosts, it goes to the one that is the primary."""
    given = DEFAULTS | conninfo_to_dict(conninfo)
    if "," in str(given.get("host", "")) + str(given.get("hostaddr", "")):
        given.setdefault("target_session_attrs", "primary")
    return make_conninfo("", **given)


def control_conninfo(conninfo: str) -> str:
    """Return *conninfo*, made by `server_conninfo`, for the control connection."""
    return make_conninfo("", **(LIVELY | conninfo_to_dict(conninfo)))


def parse_conninfo(text: str) -> Params:
    """Split a libpq connection string or URI. Raise `TargetError`, without what may be part of a password."""
    if uri := re.match(r"postgres(?:ql)?://([^/?]*)(.*)", text, re.DOTALL):
        # libpq would take a part of the password for the host or the database, and say so.
        if uri[1].count("@") > 1:
            raise TargetError("the connection URI has more than one @; in a user name or password write %40")
        if "@" not in uri[1] and "@" in uri[2].partition("?")[0]:
            raise TargetError("the connection URI has a / before its @; in a user name or password write %2F")
    try:
        params = conninfo_to_dict(text)
    except psycopg.Error as error:
        raise TargetError(f"the connection string can't be read: {mask(str(error))}") from None
    return dict(params)


def mask(message: str) -> str:
    """Hide what a message quotes from a connection string, unless it is the name of an option."""

    def shown(match: re.Match[str]) -> str:
        return match[0] if match[1] in _LIBPQ_OPTIONS or match[1] == "=" else '"..."'

    return re.sub(r'"(.*?)"', shown, message, flags=re.DOTALL).strip()


def with_client_check(params: Params) -> Params:
    if params.get("service") or "PGSERVICE" in os.environ:
        return params  # options of ours would hide those of the service
    options = params.get("options") or os.environ.get("PGOPTIONS", "")
    return params | {"options": f"{options} {CHECK_CLIENT}".strip()}


def complete(params: Params) -> str:
    """Return a connection string with our defaults for what *params* leave open."""
    defaults: dict[str, str | int] = dict(_DEFAULTS)
    if "PGCONNECT_TIMEOUT" not in os.environ:
        defaults["connect_timeout"] = 10
    fixed = {"fallback_application_name": "pgagent-py", "client_encoding": "UTF8"}
    return make_conninfo("", **{**defaults, **params, **fixed})
