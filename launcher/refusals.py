"""The words by which servers and libpq refuse a connection."""

from __future__ import annotations

import re

# The server has no room, or is between two lives: it is worth waiting for, whichever server it is.
SERVER_BUSY = re.compile(
    r"too many clients already|remaining connection slots are reserved|too many connections for "
    r"|the database system is |terminating connection due to administrator|no more connections allowed"
)
# The server is away. The launcher's own must come back before any step can be booked, so it is waited for;
# another server that is not there is the step's failure.
SERVER_AWAY = re.compile(
    r"Connection refused|No such file or directory|timeout expired|timed out|unreachable|No route to host"
    r"|closed the connection|Connection reset|could not receive data|could not send|failed to resolve"
    r"|session is (?:not )?read-only|server is (?:not )?in hot standby mode"
)
# Nothing that waiting could change: spares a look at the server.
REFUSED = re.compile(
    r"does not exist|authentication failed|no pg_hba.conf entry|no password supplied|permission denied"
    r"|is not permitted to log in|is not currently accepting connections"
)
# At the start these are mistakes of the user's; later, the server may be between two lives.
MISTAKEN = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry|authentication failed for user"
    r'|(database|role) ".*" does not exist|is not permitted to log in|permission denied for database'
    r"|invalid .*(value|port number)|Servname not supported|could not (match|parse network address)"
    r"|definition of service .* not found|service file .* not found|unrecognized configuration parameter"
    r"|invalid command-line argument|outside the valid range for parameter|SSL was required|root certificate file"
)
