"""Connection strings: how they are read, what the launcher adds to them, what must not be shown of them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import TypeAlias

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_attempts, conninfo_to_dict, make_conninfo

Params: TypeAlias = dict[str, str | int | None]

CONNECT_TIMEOUT_SECONDS = 10
PLACE = ("host", "hostaddr", "port")  # the keywords that lead to a server
APPLICATION_NAME = "pgagent-py"
# The launcher notices a dead network before the server does, so that it is back before another launcher closes its runs.
CONTROL_DEFAULTS: Params = {
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "client_encoding": "UTF8",
}
# What is set for the role or the database could end the control connection before the launcher has set anything itself.
CONTROL_OPTIONS = (
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0"
    " -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off"
)
# A step notices a dead network within a minute, even if it only waits for its result.
STEP_DEFAULTS: Params = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
# The server notices at once that a step's connection was dropped, and within half a minute that the network was cut.
# It then ends what the step was running, before another launcher closes the run. An idle session is the launcher's to close:
# a short timeout of the role would end it before the step begins.
STEP_OPTIONS = (
    "-c client_connection_check_interval=200"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c idle_session_timeout=0"
)

_KEYWORDS = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
# The keywords whose values libpq itself would not show, and keys that are as good as a password.
SECRET_KEYWORDS = frozenset({"scram_client_key", "scram_server_key"}) | {
    option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar == b"*"
}


class ConninfoError(Exception):
    """A connection string can't be read; the text shows none of its values."""


def parse_conninfo(text: str) -> Params:
    """Split a libpq connection string or URI. Raise `ConninfoError`."""
    if uri := re.match(r"postgres(?:ql)?://([^/?]*)(.*)", text, re.DOTALL):
        # libpq would take a part of the password for the host or the database, and show it in its message.
        if uri[1].count("@") > 1:
            raise ConninfoError(
                "the connection URI has more than one @; in a user name or password write %40"
            )
        if "@" not in uri[1] and "@" in uri[2].partition("?")[0]:
            raise ConninfoError(
                "the connection URI has a / before its @; in a user name or password write %2F"
            )
    try:
        return dict(conninfo_to_dict(text))
    except psycopg.Error as error:
        raise ConninfoError(f"the connection string can't be read: {hide_values(str(error))}") from None


_URI = re.compile(r"postgres(?:ql)?://")
_ASSIGNMENT = re.compile(r"\s*(\w+)\s*=\s*(?:'(?:\\.|[^'\\])*'|(?:\\.|[^\s'\\])*)", re.DOTALL)


def join_words(words: Sequence[str]) -> str:
    """Return the connection string that stands on a command line in one or more words.

    Raise `ConninfoError` if a keyword has two values: libpq would take the last one and drop the other.
    """
    if any(_URI.match(word) for word in words):
        if len(words) > 1:
            raise ConninfoError("a connection URI is the whole string: put the rest into its query part")
        names = _names_in_uri(words[0])
    else:
        names = _ASSIGNMENT.findall(" ".join(words))
    for name, count in Counter(names).items():
        if count > 1 and name in _KEYWORDS:
            raise ConninfoError(f"{name} is given twice")
    return " ".join(words)


def _names_in_uri(uri: str) -> list[str]:
    """Return the keywords to which a URI gives a value."""
    place, _, query = _URI.sub("", uri).partition("?")
    authority, _, dbname = place.partition("/")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    port = re.search(r":\d+(?:,|$)", hosts)
    given = {"user": user, "password": password, "host": hosts, "port": port, "dbname": dbname}
    return [name for name, value in given.items() if value] + re.findall(r"(?:^|&)(\w+)=", query)


def server_conninfo(conninfo: str) -> str:
    """Complete the user's connection string of the launcher's own server."""
    params = {"fallback_application_name": APPLICATION_NAME} | _connect_timeout() | conninfo_to_dict(conninfo)
    return make_conninfo("", **params)


def control_conninfo(conninfo: str) -> str:
    """Complete a string that `server_conninfo` has made, for the control connection."""
    return make_conninfo("", **(CONTROL_DEFAULTS | conninfo_to_dict(conninfo)))


def split_hosts(params: Params) -> list[Params]:
    """Return the parameters for each of the hosts that they name, also by the environment or a service file."""
    given = _with_defaults(params)
    names = {key: str(given[key]).split(",") for key in PLACE if given.get(key)}
    count = max((len(values) for values in names.values()), default=1)
    # one port may be for all hosts; if other numbers differ, libpq says so
    if count == 1 or any(
        len(values) not in (count, 1 if key == "port" else count) for key, values in names.items()
    ):
        return [given]
    return [given | {key: values[n % len(values)] for key, values in names.items()} for n in range(count)]


def place_of(params: Mapping[str, str | int | None]) -> Params:
    """Return what of the parameters leads to a host."""
    return {key: params.get(key) or None for key in PLACE}


def is_resolved(params: Mapping[str, str | int | None]) -> bool:
    """Return whether no name has to be resolved to connect to a host."""
    host = str(params.get("host") or "/")
    if params.get("hostaddr") or host.startswith("/"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def resolve(hosts: Iterable[Mapping[str, str | int | None]]) -> list[Params]:
    """Return the places of all addresses of these hosts. This may block. Raise psycopg.OperationalError if there is none."""
    places: list[Params] = []
    failure = None
    for host in hosts:
        place = {key: str(value) for key, value in place_of(host).items() if value is not None}
        try:
            places += [place_of(attempt) for attempt in conninfo_attempts(place)]
        except psycopg.OperationalError as error:
            failure = error
    if failure is not None and not places:
        raise failure
    return places


def _with_defaults(params: Params) -> Params:
    """Add what libpq takes from the environment, or from a service file, about hosts."""
    service = os.environ.get("PGSERVICE")
    try:
        if params.get("service"):
            os.environ["PGSERVICE"] = str(params["service"])
        options = pq.Conninfo.get_defaults()
    finally:
        os.environ.pop("PGSERVICE", None)
        if service is not None:
            os.environ["PGSERVICE"] = service
    values = {option.keyword.decode(): option.val for option in options}
    found: Params = {key: value.decode() for key in PLACE if (value := values[key]) is not None}
    return found | {key: value for key, value in params.items() if value is not None}


def step_conninfo(given: Params, *, check_client: bool, encoding: str = "UTF8") -> str:
    """Return the connection string of a step; *check_client*: the server looks whether the client is still there."""
    fixed: Params = {"fallback_application_name": APPLICATION_NAME, "client_encoding": encoding}
    if check_client:
        fixed |= add_options(given, STEP_OPTIONS)
    return make_conninfo("", **(STEP_DEFAULTS | _connect_timeout() | given | fixed))


def add_options(given: Params, options: str) -> Params:
    """Return the keyword that adds *options* to those given; none where a service may have some, which ours would replace."""
    if given.get("service") or "PGSERVICE" in os.environ:
        return {}
    return {"options": f"{given.get('options') or os.environ.get('PGOPTIONS', '')} {options}".strip()}


def hide_values(message: str) -> str:
    """Hide what a message quotes from a connection string, unless it is a keyword."""

    def shown(match: re.Match[str]) -> str:
        return match[0] if match[1] in _KEYWORDS or match[1] == "=" else '"..."'

    return re.sub(r'"(.*?)"', shown, message, flags=re.DOTALL).strip()


# Words of libpq and psycopg that quote what stands in the connection string itself. A mistyped one may have its password there.
_QUOTING = re.compile(
    r"^(?:connection (?:failed|is bad): )?(?:invalid |bad value|failed to resolve"
    r"|could not (?:translate|parse|match|open|load|read)|definition of service|service file|(?:root )?certificate|private key)",
    re.MULTILINE,
)


def hide_mistyped(message: str) -> str:
    """Hide all between the first and the last quotation mark, unless the message quotes nothing of the connection string."""
    if not _QUOTING.search(message):
        return message
    return re.sub(r"""(['"]).*['"]""", '"..."', message, flags=re.DOTALL).strip()


def words_of(error: Exception) -> str:
    """Return what an attempt to connect, or to ask, has failed by."""
    return hide_mistyped(str(error).strip()) or (
        "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    )


def _connect_timeout() -> Params:
    return {} if "PGCONNECT_TIMEOUT" in os.environ else {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
