"""docs/reference.md is what the comments in the database say, and has all that is public."""

from typing import Any

import psycopg
import pytest

from docs.reference import DOCS, Page, PageError

Connection = psycopg.Connection[Any]


def test_the_page_says_what_the_comments_say(db: Connection) -> None:
    page = (DOCS / "reference.md").read_text()
    assert Page(db).render() == page, "docs/reference.md is out of date: run make reference"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("CREATE FUNCTION pgagent_py.extra() RETURNS int RETURN 1", "does not name the function extra"),
        (
            "CREATE VIEW pgagent_py.extra AS SELECT 1; GRANT SELECT ON pgagent_py.extra TO PUBLIC",
            "the view extra",
        ),
        ("CREATE TYPE pgagent_py.extra AS (n int)", "does not name the type extra"),
        ("ALTER FUNCTION pgagent_py.version() RENAME TO _version", "the function version, but there is none"),
        ("COMMENT ON FUNCTION pgagent_py.version() IS NULL", "the function version has no comment"),
    ],
)
def test_the_page_must_name_everything_public(db: Connection, statement: str, problem: str) -> None:
    db.execute(statement.encode())
    with pytest.raises(PageError, match=problem):
        Page(db).render()


def test_what_is_not_public_is_not_in_the_page(db: Connection) -> None:
    before = Page(db).render()
    db.execute("CREATE FUNCTION pgagent_py._extra() RETURNS int RETURN 1")
    db.execute("CREATE VIEW pgagent_py.extra AS SELECT 1")
    assert Page(db).render() == before
