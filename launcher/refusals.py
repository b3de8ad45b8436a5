"""The words by which servers and libpq refuse a connection, and what they mean for the launcher and for a step.

libpq gives no SQLSTATE when a connection fails, only words. A server whose messages are in another language is
recognised by few of them. Then the launcher's own server is asked over the control connection, and another one by PQping.
"""

from __future__ import annotations

import re
import subprocess
import sys

from psycopg import pq

from .handover import inherited

# Why the server refuses a role in a database: it has no room now, or it never will let it in. $1 database, $2 role; NULL: ours.
FULL, HOPELESS, UNKNOWN = "full", "hopeless", "unknown"
WHY_REFUSED = f"""
SELECT CASE WHEN d.oid IS NULL OR r.oid IS NULL OR NOT d.datallowconn OR d.datconnlimit = -2 OR NOT r.rolcanlogin
              OR NOT pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') THEN '{HOPELESS}'
            WHEN s.used >= l.most - CASE WHEN r.rolsuper THEN 0 ELSE l.kept END
              OR NOT r.rolsuper AND (s.here >= nullif(d.datconnlimit, -1) OR s.own >= nullif(r.rolconnlimit, -1)) THEN '{FULL}'
            ELSE '{UNKNOWN}' END
  FROM (SELECT coalesce(%s, current_database()) AS database, coalesce(%s, session_user) AS role) w
  LEFT JOIN pg_catalog.pg_database d ON d.datname = w.database
  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = w.role
 CROSS JOIN LATERAL (
       SELECT count(*) AS used, count(*) FILTER (WHERE a.datid = d.oid) AS here, count(*) FILTER (WHERE a.usesysid = r.oid) AS own
         FROM pg_catalog.pg_stat_activity a WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL) s
 CROSS JOIN LATERAL (
       SELECT current_setting('max_connections')::int4 AS most,
              current_setting('superuser_reserved_connections')::int4
              + coalesce(current_setting('reserved_connections', true)::int4, 0) AS kept) l"""

PING = "import sys; from psycopg import pq; sys.exit(pq.PGconn.ping(sys.stdin.buffer.read()))"

# The server has no room, or it is starting or stopping. Waiting helps, whichever server it is.
_BUSY = re.compile(
    r"too many clients already|remaining connection slots are reserved|too many connections for "
    r"|the database system is |terminating connection due to administrator|no more connections allowed|query_wait_timeout"
)
# The same in the other languages that PostgreSQL speaks: nothing else tells whether another server has no room.
_FULL_IN_ANY_LANGUAGE = re.compile(
    r"zu viele Verbindungen|verbleibenden Verbindungen sind"
    r"|demasiados clientes|demasiadas conexiones|conexiones restantes"
    r"|trop de clients|trop de connexions|connexions restants"
    r"|troppi client|troppe connessioni|slot di connessione sono riservati"
    r"|muitos clientes conectados|muitas conexões|encaixes de conexão restantes"
    r"|クライアント数が多すぎ|接続が多すぎ|残りの接続(?:スロット|枠)"
    r"|მეტისმეტად ბევრი|ძალიან ბევრი კავშირი|მიერთების სლოტები"
    r"|접속자 수를 초과|접속수를 초과|남은 연결 슬롯"
    r"|слишком много (?:клиентов|подключений)|слоты подключений зарезервированы"
    r"|för många (?:klienter|uppkopplingar)|anslutningsslottar är reserverade"
    r"|(?:забагато|занадто багато) (?:клієнтів|підключень)|слоти підключен(?:ь|ня)"
    r"|zbyt wiele (?:klientów|połączeń)|pozostałe gniazda połączeń"
    r"|istemci sayısı çok fazla|bağlantı sayısı aşılmış|kalan bağlantı sayısı"  # noqa: RUF001
    r"|terlalu banyak (?:klien|koneksi)|slot koneksi yang tersisa"
    r"|连接过多|剩余连接槽位|太多的客户|连接太多|保留的连接位置|客戶端過多|連線太多|剩餘的連線槽"
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
    r"invalid .*(value|port number)|bad value for|Servname not supported|could not (match|parse network address)"
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
    if _BUSY.search(words) or _SHORTAGE.search(words) or _FULL_IN_ANY_LANGUAGE.search(words):
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


def ping(conninfo: str) -> pq.Ping:
    """Ask a server by PQping whether it serves, and wait for the answer.

    A process of its own asks: psycopg's binary build stops all threads of a process until PQping has its answer.
    """
    command = [sys.executable, "-P", "-c", PING]
    try:
        done = subprocess.run(
            command, input=conninfo.encode(), stderr=subprocess.DEVNULL, env=inherited(), check=False
        )
        return pq.Ping(done.returncode)
    except (OSError, ValueError):  # no room for the process, or something has killed it: ask later
        return pq.Ping.REJECT
