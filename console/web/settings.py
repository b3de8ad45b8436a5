"""What `pgagentctl web` was told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One database, one prefix.

    conninfo         where the database is; user and password come from the login
    prefix           what all addresses begin with, such as "/jobs"; "" without one
    allow_cleartext  a password may go to the server as it is (LDAP, PAM, RADIUS), over verified TLS or a socket
    secure           browsers reach the page by TLS only
    """

    conninfo: str = ""
    prefix: str = ""
    allow_cleartext: bool = False
    secure: bool = False
    idle_seconds: float = 30 * 60
    session_seconds: float = 12 * 3600
    connections: int = 8
    statement_seconds: float = 5
