"""A login with a database role: the server itself must have asked for the password, and this person must have given it.

Where pg_hba trusts a role, anyone could be it. An empty password would make libpq read the password file of the account
that this program runs as. So neither is a login, and nothing of that account's is used: no password file, no certificate,
no ticket, no key.
"""

import os
from typing import Any

import psycopg
from psycopg import conninfo, pq

from .settings import Settings

# The version of libpq that can refuse a way of authentication before it answers
REQUIRE_AUTH = 160000
# What the environment or a service may say of the program's own account, and what it is overridden by
NOTHING_OF_OURS = {
    "passfile": os.devnull,
    "sslcert": "/nonexistent/certificate",
    "sslkey": "/nonexistent/key",
    "gssencmode": "disable",
}


class LoginError(Exception):
    """The sentence to show, and nothing that tells whether the role exists."""


def check_settings(settings: Settings) -> None:
    """Raise ValueError if logins could not be told from what needs no password."""
    given = conninfo.conninfo_to_dict(settings.conninfo)
    for keyword in ("password", "passfile", "service", "sslcert", "sslkey", "require_auth", "user"):
        if keyword in given:
            raise ValueError(
                f"the connection string must not have {keyword}: each person logs in with a role and password"
            )
    for variable in ("PGSERVICE", "PGSERVICEFILE"):
        if os.environ.get(variable):
            raise ValueError(
                f"{variable} is set: name the server by -d, since a service could bring a password along"
            )
    if pq.version() < REQUIRE_AUTH and not is_safe_for_cleartext(given):
        raise ValueError(
            "this libpq can't tell a password in clear from a hashed one: update psycopg[binary], "
            "or use a socket or sslmode=verify-full"
        )


def is_safe_for_cleartext(given: dict[str, Any]) -> bool:
    """Return whether a password in clear reaches the server and nobody else: by a socket, or by TLS with a verified name."""
    hosts = str(given.get("host") or os.environ.get("PGHOST") or "").split(",")
    hostaddr = given.get("hostaddr") or os.environ.get("PGHOSTADDR")
    if not hostaddr and all(host == "" or host.startswith(("/", "@")) for host in hosts):
        return True
    return (given.get("sslmode") or os.environ.get("PGSSLMODE")) == "verify-full"


def connect(settings: Settings, user: str, password: str) -> psycopg.Connection[Any]:
    """Return a read-only autocommit connection of the role that has logged in.

    Raises LoginError: the role, the password, or the way that the server asked for it.
    psycopg.OperationalError: the server can't be reached.
    """
    if not user or not password:
        raise LoginError("Give a role and its password.")
    if "\0" in user + password:
        raise LoginError("Role or password has a character that PostgreSQL does not take.")
    try:
        connection = psycopg.connect(_conninfo(settings, user, password), autocommit=True)
    except psycopg.OperationalError as error:
        raise _explained(error) from None
    if not connection.pgconn.used_password:
        connection.close()
        raise LoginError(
            "The server did not ask this role for a password, so anyone could be it: it can't log in here."
        )
    return connection


def _conninfo(settings: Settings, user: str, password: str) -> str:
    given = conninfo.conninfo_to_dict(settings.conninfo)
    ways = ["scram-sha-256", "md5"]
    if settings.allow_cleartext and is_safe_for_cleartext(given):
        ways.append("password")
    limits = f"-c statement_timeout={round(settings.statement_seconds * 1000)} -c idle_session_timeout=10min"
    mine: dict[str, Any] = {
        "user": user,
        "password": password,
        "options": f"{limits} -c default_transaction_read_only=on -c client_encoding=UTF8 -c search_path=pg_catalog",
        "application_name": "pgagentctl web",
        "connect_timeout": 10,
    }
    if pq.version() >= REQUIRE_AUTH:
        mine |= {"require_auth": ",".join(ways), "sslcertmode": "disable"}
    return conninfo.make_conninfo(settings.conninfo, **NOTHING_OF_OURS, **mine)


def _explained(error: psycopg.OperationalError) -> Exception:
    # libpq has no SQLSTATE for what fails while it connects: the words of the server and of libpq are all there is.
    text = str(error)
    if "authentication method requirement" in text or "auth method" in text:
        return LoginError(
            "The server does not ask this role for a password in a way that is safe here (scram-sha-256, md5)."
        )
    if "FATAL" in text and "authentication failed" in text:
        return LoginError("Role and password do not fit.")
    if "FATAL" in text:
        return LoginError("The server does not let this role in.")
    return error
