"""launcher/refusals.py: which refusals end a launcher, which a step waits out; and a proxy that refuses our options."""

import asyncio
import gettext
import struct
from pathlib import Path

import pytest

from launcher.conninfo import parse_conninfo
from launcher.refusals import is_mistake, may_pass
from launcher.sql_target import Target, TargetError

OWN, OTHER = True, False


@pytest.mark.parametrize(
    ("words", "mistake", "own", "other"),
    [
        ("FATAL:  sorry, too many clients already", False, True, True),
        ("FATAL:  the database system is starting up", False, True, True),
        ('connection to server at "h", port 1 failed: Connection refused', False, True, False),
        ('could not translate host name "h" to address: failed to resolve', False, True, False),
        ('FATAL:  database "d" is not currently accepting connections', False, False, False),
        ('FATAL:  password authentication failed for user "u"', True, False, False),
        ('FATAL:  database "d" does not exist', True, False, False),
        ("FATAL:  database 16385 does not exist", True, False, False),
        ('FATAL:  permission denied for database "d"', True, False, False),
        ('invalid sslmode value: "sometimes"', True, False, False),
        ("FATAL:  Das Datenbanksystem startet", False, None, None),
        # of several hosts, one is away
        ("host a: Connection refused\nhost b: FATAL:  no pg_hba.conf entry for host b", True, True, False),
    ],
)
def test_words_of_a_refusal(words: str, mistake: bool, own: bool | None, other: bool | None) -> None:
    assert is_mistake(words) is mistake
    assert may_pass(words, own_server=OWN) is own
    assert may_pass(words, own_server=OTHER) is other


FULL = (
    "sorry, too many clients already",
    'too many connections for role "%s"',
    'too many connections for database "%s"',
    "remaining connection slots are reserved for non-replication superuser connections",
    "remaining connection slots are reserved for roles with the %s attribute",
    'remaining connection slots are reserved for roles with privileges of the "%s" role',
)


def test_a_server_without_room_is_known_in_every_language_that_it_speaks() -> None:
    """By the catalogs of messages that are installed with the server."""
    catalogs = sorted(Path("/usr/share/locale").glob("*/LC_MESSAGES/postgres-*.mo"))
    assert {"de", "ru"} <= {catalog.parts[4] for catalog in catalogs}
    for catalog in catalogs:
        with catalog.open("rb") as file:
            translations = gettext.GNUTranslations(file)
        for words in map(translations.gettext, FULL):
            assert may_pass(words, own_server=OTHER) is True, (catalog, words)
        unknown = translations.gettext('database "%s" does not exist')
        assert may_pass(unknown, own_server=OTHER) is not True, (catalog, unknown)


def test_options_that_a_proxy_refuses_are_left_out_once() -> None:
    """As PgBouncer does. If the user's own options are refused, too, the step fails: there is nothing to try again."""
    startups: list[bytes] = []
    words = b"unsupported startup parameter: options"
    fields = b"SFATAL\0C08P01\0M" + words + b"\0\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack("!I", await reader.readexactly(4))[0]
        startups.append(await reader.readexactly(size - 4))
        writer.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)
        await writer.drain()
        writer.close()

    async def connect() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = f"hostaddr=127.0.0.1 port={port} user=u sslmode=disable gssencmode=disable options='-c work_mem=1MB'"
        async with server:
            await Target(parse_conninfo(settings), local=False).connect(lambda _: None)

    with pytest.raises(TargetError, match="unsupported startup parameter"):
        asyncio.run(asyncio.wait_for(connect(), 60))
    # Twice by us, then by libpq's PQping: is the server perhaps starting? It was answered, so PQping did not stop this process.
    assert [b"client_connection_check_interval" in startup for startup in startups] == [True, False, False]
    assert all(b"work_mem" in startup for startup in startups)
