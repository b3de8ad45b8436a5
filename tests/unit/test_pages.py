"""The pages: links lead somewhere, README leads to all of them, functions that they call exist, lines fit."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")])
WIDTH = 130

LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"\bpgagent_py\.([a-z_]+)\(")

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
