"""launcher/conninfo.py: hosts and their addresses."""

from pathlib import Path

import pytest

from launcher.conninfo import (
    ConninfoError,
    is_resolved,
    join_words,
    parse_conninfo,
    place_of,
    resolve,
    split_hosts,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set what libpq reads."""
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    service = tmp_path / "services"
    service.write_text("[nodes]\nhost=a,b\nport=1,2\nuser=u\n")
    monkeypatch.setenv("PGSERVICEFILE", str(service))


@pytest.mark.parametrize(
    ("conninfo", "places"),
    [
        ("", [(None, None, "5432")]),
        ("host=a", [("a", None, "5432")]),
        ("host=a,b", [("a", None, "5432"), ("b", None, "5432")]),
        ("host=a,b port=1,2", [("a", None, "1"), ("b", None, "2")]),
        ("host=a,b port=7", [("a", None, "7"), ("b", None, "7")]),
        ("host=a,b hostaddr=1.1.1.1,2.2.2.2", [("a", "1.1.1.1", "5432"), ("b", "2.2.2.2", "5432")]),
        ("hostaddr=1.1.1.1,2.2.2.2", [(None, "1.1.1.1", "5432"), (None, "2.2.2.2", "5432")]),
        ("postgresql://a:1,b:2/db", [("a", None, "1"), ("b", None, "2")]),
        ("service=nodes", [("a", None, "1"), ("b", None, "2")]),
        ("service=nodes host=c port=3", [("c", None, "3")]),
        ("service=unknown host=c", [("c", None, "5432")]),
        ("host=a,b port=1,2,3", [("a,b", None, "1,2,3")]),  # libpq refuses it
    ],
)
def test_hosts(conninfo: str, places: list[tuple[str | None, ...]]) -> None:
    hosts = split_hosts(parse_conninfo(conninfo) | {"user": "u"})
    assert [tuple(place_of(host).values()) for host in hosts] == places
    assert {host["user"] for host in hosts} == {"u"}


def test_hosts_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "nodes")
    assert [host["host"] for host in split_hosts({})] == ["a", "b"]
    monkeypatch.delenv("PGSERVICE")
    monkeypatch.setenv("PGHOST", "c,d")
    assert [host["host"] for host in split_hosts({})] == ["c", "d"]


def test_addresses() -> None:
    assert all(
        is_resolved(host)
        for host in ({}, {"host": "/tmp"}, {"host": "::1"}, {"hostaddr": "::1", "host": "a"})
    )
    assert not is_resolved({"host": "localhost"})
    assert {"host": "localhost", "hostaddr": "127.0.0.1", "port": "7"} in resolve(
        [{"host": "localhost", "port": "7"}]
    )
    assert resolve([{"host": "/tmp"}, {"host": "1.1.1.1"}]) == [
        {"host": "/tmp", "hostaddr": None, "port": None},
        {"host": "1.1.1.1", "hostaddr": "1.1.1.1", "port": None},
    ]


@pytest.mark.parametrize(
    ("words", "twice"),
    [
        (["dbname=a", "user=b"], ""),
        (["dbname", "=", "a", "user=b"], ""),
        ([r"application_name='x dbname=a' dbname=b"], ""),
        ([r"application_name=x\ dbname=a dbname=b"], ""),
        ([r"application_name='it\'s dbname=a'", "dbname=b"], ""),
        (["dbname=a", "dbname=b"], "dbname"),
        (["host=h dbname = 'a' user=b dbname=a"], "dbname"),
        (["postgresql://u@h:1/d?application_name=x"], ""),
        (["postgresql://h1:1,h2:2/d"], ""),
        (["postgresql:///d?host=/run&port=1"], ""),
        (["postgresql://[::1]/d?port=1"], ""),
        (["postgresql://u@h/d?user=v"], "user"),
        (["postgres://h/d?dbname=e"], "dbname"),
        (["postgres://h:1/d?port=2"], "port"),
        (["postgres://h/d?sslmode=a&sslmode=b"], "sslmode"),
    ],
)
def test_a_keyword_with_two_values_is_refused(words: list[str], twice: str) -> None:
    if twice:
        with pytest.raises(ConninfoError, match=f"^{twice} is given twice$"):
            join_words(words)
    else:
        assert parse_conninfo(join_words(words))


def test_nothing_stands_beside_a_uri() -> None:
    """libpq takes what follows for a part of the database's name."""
    with pytest.raises(ConninfoError, match="is the whole string"):
        join_words(["postgresql://h/d", "user=x"])
