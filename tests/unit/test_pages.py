"""The pages: links lead somewhere, README leads to all of them, files and functions that they name exist, lines fit."""

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")])
WIDTH = 130

LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"\bpgagent_py\.([a-z_]+)\(")

SPAN = re.compile(r"`([^`]+)`")
FILE = re.compile(r"(?:bench|console|demo|docs|expected|launcher|plpython|sql|tests|\.ci)/[\w./-]*")
NUMBERED = re.compile(r"(?ms)^\d+\. (.*?)(?=^\d+\. |\n\n|\Z)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a Markdown viewer makes of the page's headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    """Return the relative links of a page, those in examples aside."""
    found = [either or other for either, other in LINK.findall(FENCE.sub("", page.read_text()))]
    return [link for link in found if "://" not in link]


def broken(page: Path, link: str) -> bool:
    """Return whether there is no such file, or no such heading in that page."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if broken(page, link)] == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One two\n[x](b.md) [y](#one-two) [z](#three) [u](https://example.org/no)\n"
    )
    assert [link for link in links(tmp_path / "a.md") if broken(tmp_path / "a.md", link)] == [
        "b.md",
        "#three",
    ]


def test_readme_leads_to_every_page() -> None:
    targets = {(TOP / link.partition("#")[0]).resolve() for link in links(TOP / "README.md")}
    assert {page for page in PAGES if page != TOP / "README.md"} <= targets


@each_page
def test_lines_are_not_too_long(page: Path) -> None:
    assert [line for line in page.read_text().splitlines() if len(line) > WIDTH] == []


@each_page
def test_functions_that_a_page_calls_are_in_the_reference(page: Path) -> None:
    known = set(re.findall(r"(?m)^### (\w+)$", (TOP / "docs/reference.md").read_text()))
    assert set(CALL.findall(page.read_text())) <= known


@each_page
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = {span for span in SPAN.findall(FENCE.sub("", page.read_text())) if FILE.fullmatch(span)}
    assert {name for name in named if not (TOP / name).exists()} == set()


def defines(path: Path, name: str) -> bool:
    """Return whether a Python file defines a function, class or constant of this name, or an SQL file has it."""
    text = path.read_text()
    if path.suffix != ".py":
        return bool(re.search(rf"\b{name}\b", text))
    nodes = list(ast.walk(ast.parse(text)))
    functions = {
        n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    return name in functions | {
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def stops(page: str) -> list[tuple[str, str]]:
    """Return file and function of each stop on the trips: what stands in code spans before the colon of a numbered item."""
    found = []
    for item in NUMBERED.findall(page):
        path = ""
        for span in SPAN.findall(item.partition(":")[0]):
            if FILE.fullmatch(span):
                path = span
            else:
                found.append((path, span))
    return found


def test_the_trips_stop_at_functions_that_exist() -> None:
    trips = stops((TOP / "docs/architecture.md").read_text())
    assert len(trips) > 30
    assert [stop for stop in trips if not stop[0] or not defines(TOP / stop[0], stop[1])] == []


def test_a_stop_that_is_gone_would_be_found() -> None:
    assert stops("1. `launcher/loop.py` `_turn`, `_no`: x `y`.\n2. No file.\n") == [
        ("launcher/loop.py", "_turn"),
        ("launcher/loop.py", "_no"),
    ]
    assert defines(TOP / "launcher/loop.py", "_turn")
    assert not defines(TOP / "launcher/loop.py", "_no")


def test_the_example_of_an_engine_is_the_code() -> None:
    """The page on engines shows the four functions of the engine local as they are."""
    (example,) = re.findall(r"```python\n(.*?)```", (TOP / "docs/engines.md").read_text(), re.DOTALL)
    assert re.findall(r"(?m)^async def (\w+)", example) == ["submit", "look", "cancel", "output"]
    assert example in (TOP / "launcher/engines/local.py").read_text()
