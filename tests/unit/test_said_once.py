"""Words and conditions that SQL and Python share stand once, in plpython/ground/vocabulary.py."""

import re
from pathlib import Path

import pytest

from plpython.ground.vocabulary import ALERTS, ENDS, SETS

TOP = Path(__file__).resolve().parents[2]
SOURCES = {
    str(path.relative_to(TOP)): path.read_text()
    for folder, pattern in (("plpython", "*.py"), ("sql", "*.sql"), ("sql", "*.j2"))
    for path in (TOP / folder).rglob(pattern)
}


@pytest.mark.parametrize(
    "said",
    [
        r"jobenabled AND \w*\.?jobagentid IS NULL",
        r"'MEMBER' ELSE 'SET'",
        r"""['"]no steps['"]""",
        r"""['"]ignored['"]""",
        r"""['"]ignore['"][,}]""",
        r"""["']weekdays["']""",
    ],
)
def test_it_is_said_once(said: str) -> None:
    found = [name for name, text in SOURCES.items() for _ in re.finditer(said, text)]
    assert found == ["plpython/ground/vocabulary.py"]


def test_the_columns_of_a_result_are_listed_in_its_type_alone() -> None:
    listed = [name for name, text in SOURCES.items() if re.search(r"jslresult,\s+(\w+\.)?jslduration", text)]
    # An update names the columns of a table of an earlier version
    assert [name for name in listed if name.startswith("sql/") and not name.startswith("sql/updates/")] == []


@pytest.mark.parametrize("table", ["job_dependency", "message"])
def test_tables_take_the_ends_that_there_are(table: str) -> None:
    """A table is made once, so its check is text; one that is changed needs an update."""
    words = re.search(r"\w+when IN \(([^)]*)\)", SOURCES[f"sql/tables/{table}.sql"])
    assert words
    assert set(re.findall(r"\w+", words[1])) == {*ENDS, *(ALERTS if table == "message" else ())}


def test_verbs_have_the_five_sets_in_their_order() -> None:
    for verb in ("add_schedule", "alter_schedule"):
        arguments = re.findall(r'"(\w+) integer\[\]', SOURCES[f"sql/functions/{verb}.sql"])
        assert arguments[: len(SETS)] == list(SETS)
