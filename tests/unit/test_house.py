"""The house rules that a machine can check: sizes of functions and files, fixed sleeps in tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
CODE = ("plpython", "launcher", "console", "deploy", "sql", "bench", "docs", "tests/helpers")
FUNCTION_LINES, FILE_LINES = 40, 350
SLEEPS = 7


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (TOP / folder).rglob("*.py"))


def long_functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield the name and lines, signature and docstring included, of each function that is too long."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield node.name, lines


def fixed_sleeps(source: str) -> Iterator[int]:
    """Yield the line of each call of a sleep() of so many seconds."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        if ast.unparse(node.func) in ("sleep", "time.sleep", "asyncio.sleep"):
            yield node.lineno


@pytest.mark.parametrize("folder", CODE)
def test_no_function_is_too_long(folder: str) -> None:
    assert sources(folder)
    found = [
        (str(path.relative_to(TOP)), *long)
        for path in sources(folder)
        for long in long_functions(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("folder", [*CODE, "tests"])
def test_no_file_is_too_long(folder: str) -> None:
    lengths = {str(path.relative_to(TOP)): len(path.read_text().splitlines()) for path in sources(folder)}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_tests_wait_for_events_instead_of_sleeping() -> None:
    found = [(path.name, line) for path in sources("tests") for line in fixed_sleeps(path.read_text())]
    assert len(found) <= SLEEPS, found


def test_what_is_too_long_would_be_found() -> None:
    body = "    pass\n"
    assert list(long_functions("def f():\n" + body * 39)) == []
    assert list(long_functions("async def f():\n" + body * 40)) == [("f", 41)]
    assert list(fixed_sleeps("time.sleep(0.1)\nawait asyncio.sleep(1)\ntime.sleep(pause)\n")) == [1, 2]
