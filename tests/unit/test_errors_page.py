"""docs/errors.md has every message that users can meet, under its SQLSTATE, and no other.

What varies in a message is `...` on the page. The messages are read from the sources: calls that make errors in
plpython/ and launcher/, RAISE and format() in sql/, and sentences that end up in the output of a step.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from plpython.api.cron import UNSAYABLE

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/errors.md"
VARIES = "..."
IN_OUTPUT = "In the output of a step"

# The calls that make errors: which argument is the message, and what stands in front of it
PLPYTHON = {"invalid": 1, "wrong": 1, "PgAgentError": 0, "error": 0}
LAUNCHER_ERRORS = {
    "ConninfoError",
    "TargetError",
    "CannotServeError",
    "MessageError",
    "ValueError",
    "ArgumentTypeError",
    "OperationalError",
    "error",
    "exception",
    "warning",
}
PLACES = dict.fromkeys(LAUNCHER_ERRORS, 0) | {"log": 1, "_warning": 0}


class Message(NamedTuple):
    """A message as the page may write it: one of *forms*, under *sqlstate* (None: anywhere)."""

    forms: frozenset[str]
    sqlstate: str | None
    where: str


def placed(text: str) -> str:
    """Return *text* with VARIES for what is filled in."""
    return re.sub(r"(\0|%[-.\d]*[a-z]|\{\}|\{\{.*?\}\})+", VARIES, text)


def texts(node: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression can be, with NUL for what is filled in; what is no literal is all of that."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Constant(value=bytes(text)):
            yield text.decode()
        case ast.JoinedStr(values=values):
            yield "".join(str(v.value) if isinstance(v, ast.Constant) else "\0" for v in values)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*texts(body), *texts(orelse))
        case _:
            yield "\0"


def name_of(call: ast.Call) -> str:
    """Return the name of the function that is called, without what it is an attribute of."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def sqlstate_of(call: ast.Call) -> str | None:
    """Return the SQLSTATE that a call gives to its error; None: it comes from elsewhere."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "sqlstate"]
    given += call.args[2:3] if name_of(call) == "PgAgentError" else []
    if not given:
        return "22023"
    return given[0].value if isinstance(given[0], ast.Constant) and isinstance(given[0].value, str) else None


def named(call: ast.Call, text: str) -> set[str]:
    """Return the forms of a message of `invalid`, which puts the argument's name in front unless it is in it."""
    argument = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
    if not isinstance(argument, str):
        return {text, f"\0: {text}"}
    if re.search(rf"\b{argument}\b", text):
        return {text}
    return {f"{argument}: {text}"} | ({text} if "\0" in text else set())


def in_plpython(path: Path, call: ast.Call) -> Iterator[Message]:
    """Yield the messages of a call in plpython/ that makes an error."""
    name = name_of(call)
    place = PLPYTHON.get(name)
    if place is None or len(call.args) <= place:
        return
    for text in texts(call.args[place]):
        forms = (
            named(call, text) if name == "invalid" else {f"jobs: \0: {text}"} if name == "wrong" else {text}
        )
        if name == "wrong" and isinstance(call.args[0], ast.Constant):
            forms = {f"jobs: {call.args[0].value!s}: {text}"}
        yield Message(frozenset(map(placed, forms)), sqlstate_of(call), f"{path}:{call.lineno}")


def logged(node: ast.expr) -> Iterator[str]:
    """Yield the texts of a message; one of the log begins with its action and the fields."""
    if not (isinstance(node, ast.Call) and name_of(node) == "Event"):
        yield from texts(node)
        return
    fields = ["\0" if keyword.arg is None else f"{keyword.arg}=\0" for keyword in node.keywords]
    for action in texts(node.args[0]):
        for words in [text for argument in node.args[1:] for text in texts(argument)] or [""]:
            yield " ".join(word for word in (f"action={action}", *fields, words) if word)


def in_launcher(path: Path, call: ast.Call) -> Iterator[Message]:
    """Yield the messages of a call in launcher/ that makes an error, or logs one or a warning."""
    name = name_of(call)
    place = PLACES.get(name)
    if place is not None and len(call.args) > place:
        for text in logged(call.args[place]):
            yield Message(frozenset({placed(text)}), None, f"{path}:{call.lineno}")


def documentation(tree: ast.AST) -> set[int]:
    """Return the ids of nodes whose text no user meets: docstrings, hints, and the pieces of f-strings."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.Expr(value=value)
                | ast.keyword(arg="hint" | "help" | "epilog" | "description", value=value)
            ):
                found |= {id(inner) for inner in ast.walk(value)}
            case ast.Call() if name_of(node) in PLPYTHON:
                found |= {
                    id(inner)
                    for argument in node.args[PLPYTHON[name_of(node)] :]
                    for inner in ast.walk(argument)
                }
            case ast.JoinedStr(values=values):
                found |= {id(value) for value in values}
    return found


def sentences(path: Path, tree: ast.AST) -> Iterator[Message]:
    """Yield the sentences that stand in a module, those in its SQL included: they end up in the output of a step."""
    left_out = documentation(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in left_out:
            for text in texts(node):
                for sentence in re.findall(r"format\('(.*?\.)'", text) or [text]:
                    if re.fullmatch(r"[A-Z][^\n]* [^\n]*\.", sentence):
                        yield Message(frozenset({placed(sentence)}), IN_OUTPUT, f"{path}:{node.lineno}")


def in_sql(path: Path, text: str) -> Iterator[Message]:
    """Yield the messages that SQL raises by itself, and the reasons that it makes by format()."""
    for found in re.finditer(r"RAISE EXCEPTION '((?:[^']|'')*)'(.*?);", text, re.DOTALL):
        condition = re.search(r"ERRCODE = '(\w+)'", found[2])
        assert condition, f"{path}: {found[0]}"
        error = getattr(psycopg.errors, condition[1].title().replace("_", ""))
        yield Message(frozenset({placed(found[1].replace("%", "\0"))}), error.sqlstate, str(path))
    for error in re.findall(r"plpy\.error\(\s*(f?\".*?\"),.*?sqlstate=\"(\w+)\"", text, re.DOTALL):
        (shown,) = texts(ast.parse(error[0], mode="eval").body)
        yield Message(frozenset({placed(shown)}), error[1], str(path))
    for reason in re.findall(r"format\('([a-z](?:[^']|'')*)'", text):
        yield Message(frozenset({placed(reason.replace("''", "'"))}), None, str(path))


def modules(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield path and syntax tree of the Python files below *folder*."""
    for path in sorted((TOP / folder).rglob("*.py")):
        yield path.relative_to(TOP), ast.parse(path.read_text())


def messages() -> Iterator[Message]:
    """Yield all messages, those without any words of their own aside."""
    for path, tree in modules("plpython"):
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        yield from (message for call in calls for message in in_plpython(path, call))
        yield from sentences(path, tree) if path.parts[1] == "runs" else ()
    for path, tree in modules("launcher"):
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        yield from (message for call in calls for message in in_launcher(path, call))
        yield from sentences(path, tree)
    for source in (TOP / "sql").rglob("*.*"):
        if source.suffix in (".sql", ".j2"):
            yield from in_sql(source.relative_to(TOP), source.read_text())
    for _, _, problem, _ in UNSAYABLE:
        yield Message(frozenset({problem}), None, "plpython/api/cron.py: UNSAYABLE")


def literals() -> set[str]:
    """Return all texts in the sources, for what only the page knows to be a message."""
    trees = [tree for folder in ("plpython", "launcher") for _, tree in modules(folder)]
    nodes = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.Constant, ast.JoinedStr))
    ]
    return {placed(text) for node in nodes for text in texts(node)}


def entries(page: str) -> dict[str, set[str]]:
    """Return the messages that begin the items of the page's lists, with the sections in which they stand."""
    found: dict[str, set[str]] = {}
    for section in re.split(r"(?m)^## ", page)[1:]:
        title, _, body = section.partition("\n")
        for item in re.findall(r"(?ms)^ *- ((?:`[^`]+`[,;]?\s+|`[^`]+`)+)", body):
            for message in re.findall(r"`([^`]+)`", item):
                found.setdefault(re.sub(r"\s+", " ", message), set()).add(title)
    return found


def missing(found: Iterable[Message], page: dict[str, set[str]]) -> list[str]:
    """Return what must be added to the page."""
    lines = []
    for forms, section, where in found:
        sections = {title for form in forms for title in page.get(form, ())}
        if not re.search(r"[a-z]{2}", " ".join(forms)) or (section in sections if section else sections):
            continue
        lines.append(
            f"{where}: add to docs/errors.md, section {section or 'that fits'}: - `{min(forms, key=len)}`: what to do"
        )
    return lines


def test_the_page_has_every_message() -> None:
    assert not (lines := missing(messages(), entries(PAGE.read_text()))), "\n".join(lines)


def test_every_message_on_the_page_is_in_the_sources() -> None:
    known = {form for message in messages() for form in message.forms} | literals()
    assert sorted(entries(PAGE.read_text()).keys() - known) == []


def test_messages_are_found_in_all_ways_of_raising() -> None:
    code = """
raise invalid("name", f"name {name} is bad", "Another.")
raise invalid("after", "it is bad" if x else f"{y} is worse")
raise PgAgentError("taken", hint="Another.", sqlstate="42710")
raise PgAgentError("may not", "Ask.", "42501")
plpy.error("no agent", sqlstate="55000")
raise wrong(path, "must be a list")
"""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    found = {
        (form, m.sqlstate) for call in calls for m in in_plpython(Path("x.py"), call) for form in m.forms
    }
    assert found == {
        ("name ... is bad", "22023"),
        ("after: it is bad", "22023"),
        ("after: ... is worse", "22023"),
        ("... is worse", "22023"),
        ("taken", "42710"),
        ("may not", "42501"),
        ("no agent", "55000"),
        ("jobs: ...: must be a list", "22023"),
    }
    (raised,) = in_sql(
        Path("x.sql"), "RAISE EXCEPTION 'job % is bad', job USING ERRCODE = 'invalid_parameter_value';"
    )
    assert (*raised.forms, raised.sqlstate) == ("job ... is bad", "22023")
    tree = ast.parse(
        'x = f"The step was stopped after {n} s."\nraise PgAgentError("no", hint="Not this one.")'
    )
    assert [message.forms for message in sentences(Path("x.py"), tree)] == [
        {"The step was stopped after ... s."}
    ]


def test_a_new_message_without_an_entry_says_what_to_add() -> None:
    new = Message(frozenset({"job ... is tired"}), "55000", "plpython/api/jobs.py:7")
    page = {"job ... is tired": {"22023"}}
    assert missing([new], page) == [
        "plpython/api/jobs.py:7: add to docs/errors.md, section 55000: - `job ... is tired`: what to do"
    ]
    assert missing([new], {"job ... is tired": {"55000"}}) == []
