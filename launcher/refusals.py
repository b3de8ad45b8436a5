"""The words by which servers and libpq refuse a connection, and what they mean for the launcher and for a step.

libpq gives no SQLSTATE when a connection fails, only words. A server whose messages are in another language is
recognised by none of them.
"""

from __future__ import annotations

import re

# The server has no room, or it is starting or stopping. Waiting helps, whichever server it is.
_BUSY = re.compile(
    r"too many clients already|remaining connection slots are reserved|too many connections for "
    r"|the database system is |terminating connection due to administrator|no more connections allowed|query_wait_timeout"
)
# This machine, or the server's, is short of something. Waiting helps, whichever server it is.
_SHORTAGE = re.compile(
    r"Too many open files|Cannot allocate memory|out of memory|Resource temporarily unavailable|No buffer space"
)
# Nothing answers, or what answers is not the primary.
_AWAY = re.compile(
    r"Connection refused|No such file or directory|timeout expired|timed out|unreachable|No route to host"
    r"|closed the connection|Connection reset|could not receive data|could not send|failed to resolve"
    r"|session is (?:not )?read-only|server is (?:not )?in hot standby mode"
)
# The database was closed to connections; an administrator may open it again.
_CLOSED = re.compile(r"is not currently accepting connections")
# The server does not let this role in, or does not have it or the database.
_DENIED = re.compile(
    r"authentication failed|no password supplied|no pg_hba.conf entry|is not permitted to log in"
    r"|(database|role) .* does not exist|permission denied (for database|to set parameter)|SSL was required"
)
# The connection string is wrong, or a file that it names.
_MALFORMED = re.compile(
    r"invalid .*(value|port number)|Servname not supported|could not (match|parse network address)"
    r"|definition of service .* not found|service file .* not found|root certificate file"
    r"|unrecognized configuration parameter|invalid command-line argument|outside the valid range for parameter"
)
# The server is too old for the options of a step's connection, or a proxy does not pass them on.
_OPTIONS = re.compile(r"client_connection_check_interval|startup parameter")


def is_mistake(words: str) -> bool:
    """Return whether a launcher that can't connect at its start should end: the user has to correct something.

    Once it has served, the same words may come from a server between two lives.
    """
    return bool(_DENIED.search(words) or _MALFORMED.search(words))


def may_pass(words: str, *, own_server: bool) -> bool | None:
    """Return whether waiting may help a step that can't connect; None when the words do not tell.

    No step can be booked before the launcher's own server is back, so it is waited for. Another server that is
    away is the step's failure.
    """
    if _BUSY.search(words) or _SHORTAGE.search(words):
        return True
    if _AWAY.search(words):
        return own_server
    if is_mistake(words) or _CLOSED.search(words):
        return False
    return None


def is_shortage(words: str) -> bool:
    """Return whether this machine, or the server's, is short of something."""
    return bool(_SHORTAGE.search(words))


def refuses_options(words: str) -> bool:
    """Return whether the options of a step's connection are what was refused."""
    return bool(_OPTIONS.search(words))
