"""launcher/sql_statements.py against psql: both send the same statements for the same text."""

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

from launcher.sql_statements import StatementError, Statements
from tests.helpers import Cluster, forms

QUERY = re.compile(r"/?\*+ QUERY \*+/?\n(.*?)\n/?\*{20,}/?\n\n", re.DOTALL)  # in psql's log
QUOTED = r"""
'a' 'a;b' '' 'a'';b' 'a\' 'a\';b' E'a\';b' e'\\' E'\'';' U&'a;\0061' u&"x;y" "a;b" "a"";b" B'01;' b'' x'1f' X'1;f' N'a;' n'\'
'\\' 'é;' "é;" $$a;b$$ $t$;$$;$t$ $t1$;$t2$;$t1$ $é$;$é$ $t$;$T$;$t$ $$ $t$ ' " E' U&"
-- /* */ /*;*/ /*/*;*/;*/ /*/ /**/ 'a'/*;*/'b' --' --;
"""
PLAIN = r"""
( ) (;) [1:2] ::int :x :='a' \; \: $1 $2;$ a$b$c; a$$ _x é 1..2 1.5e-3 .5 1;2 + - @- <--; +/*;*/ *;*/ ; ; ; ; , . = <> ~;
SELECT 1 VALUES (1) x'' e U& end END case CASE begin BEGIN create CREATE or replace FUNCTION function procedure schema as language
"""
LONG = [
    "SET standard_conforming_strings = off;",
    "SET standard_conforming_strings = on;",
    "SET LOCAL standard_conforming_strings = off;",
    "BEGIN;",
    "COMMIT;",
    "DO $a$ BEGIN NULL; END $a$;",
    "CREATE FUNCTION pg_temp.f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END;",
    "create or replace procedure p(a int) begin atomic select case case 1 when 1 then 2 end when 2 then 3 end; ",
    "CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;",
    "(CREATE FUNCTION a b) begin 1; end;",
    'CREATE FUNCTION "begin"(a int DEFAULT (1)) RETURNS int RETURN 1;',
    "CREATE SCHEMA s CREATE TABLE begin ();",
    "E'a'\n'b\\';'",
    "'a'\r\n'b;'",
    "'a;\n\n;b'",
    "$$\n;\n$$",
    "/* a\n;\n*/",
    "-- a;\r",
    "E'a\\\n;'",
]
PIECES = [*QUOTED.split(), *PLAIN.split(), *LONG, *LONG]
BETWEEN = ["", " ", " ", "\n", "\n", "\n\n", "\t", "\r\n", "\f"]


def generated(chance: random.Random) -> str:
    """Return a text of pieces that may be SQL."""
    return "".join(chance.choice(PIECES) + chance.choice(BETWEEN) for _ in range(chance.randint(1, 25)))


def sent_by_psql(cluster: Cluster, directory: Path, texts: list[str]) -> list[list[str]]:
    """Return what psql sends for each of the texts."""
    log = directory / "log"
    arguments = ["-X", "-q", "-o", "/dev/null", "-L", str(log)]
    for number, text in enumerate(texts):
        path = directory / f"{number}.sql"
        path.write_bytes(text.encode())
        arguments += ["-f", str(path), "-c", "ROLLBACK", "-c", "RESET ALL"]
    psql = shutil.which("psql")
    assert psql
    subprocess.run([psql, *arguments, cluster.conninfo()], check=False, stderr=subprocess.DEVNULL)
    found: list[list[str]] = [[]]
    for query in QUERY.findall(log.read_bytes().decode()):
        found[-1].append(query)
        if found[-1][-2:] == ["ROLLBACK", "RESET ALL"]:
            found[-1:] = [found[-1][:-2], []]
    return found[:-1]


def sent_by_us(cluster: Cluster, texts: list[str]) -> list[tuple[list[str], bool]]:
    """Return what a step sends for each of the texts, if it did not stop at errors, and whether it sends all of it."""
    found = []
    with cluster.connect() as db:
        server = db.pgconn
        for text in texts:
            sent: list[str] = []
            statements = Statements(
                text, lambda: server.parameter_status(b"standard_conforming_strings") == b"on"
            )
            try:
                while statement := statements.next():
                    server.exec_(statement.text.encode())
                    sent.append(statement.text)
            except StatementError:
                found.append((sent, False))
            else:
                found.append((sent, True))
            server.exec_(b"ROLLBACK")
            server.exec_(b"RESET ALL")
    return found


def without_empty_lines(sent: list[str]) -> list[str]:
    """Return statements as psql sends them, which leaves empty lines out."""
    return [re.sub("\n+", "\n", statement).rstrip("\n") for statement in sent]


@forms(200, 1_000)
def test_a_text_has_the_statements_that_psql_finds(cluster: Cluster, tmp_path: Path, size: int) -> None:
    seed = int(os.environ.get("PGAGENT_PY_SEED", random.randrange(10**6)))
    print(f"PGAGENT_PY_SEED={seed}")
    chance = random.Random(seed)
    texts = [generated(chance) for _ in range(size)]
    theirs, ours = sent_by_psql(cluster, tmp_path, texts), sent_by_us(cluster, texts)
    assert len(theirs) == len(ours) == size
    several = refused = 0
    for text, their, (our, whole) in zip(texts, theirs, ours, strict=True):
        same = their if whole else their[: len(our)]
        assert without_empty_lines(our) == without_empty_lines(same), text
        several += len(our) > 1
        refused += not whole
    assert several > size / 3 > refused
