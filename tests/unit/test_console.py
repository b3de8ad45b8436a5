"""Parts of pgagentctl that need no server: its man page, times, masks, files."""

import ast
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from hypothesis import strategies as st

from console.cli import COMMANDS, Command, pgagentctl
from console.crontabs import looks_like_system, split_crontab
from console.files.changes import show_difference, without_secrets
from console.files.read import Files
from console.files.write import to_yaml
from console.hide import masked, masked_arguments
from console.output import WIDEST, Table, plain, to_json
from console.times import read_length, read_time
from console.wording import in_own_words
from docs.man import page
from tests.forms import for_all, forms

TOP = Path(__file__).resolve().parents[2]


def test_the_man_page_is_up_to_date() -> None:
    assert (TOP / "docs/pgagentctl.1").read_text() == page(), "run make man"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = pgagentctl.get_command(click.Context(pgagentctl), name)
    assert command is not None
    assert f"pgagentctl {name}" in (command.epilog or command.help or "")


def test_lengths_and_times_that_people_write() -> None:
    assert read_length("90 s") == timedelta(seconds=90)
    assert read_length("2h") == timedelta(hours=2)
    assert read_length("7 days") == timedelta(days=7)
    assert read_length("30 minutes") == timedelta(minutes=30)
    assert read_length("30min") == timedelta(minutes=30)
    assert read_length("3 parsecs") is None
    now = datetime.now().astimezone()
    assert read_time("2h", forwards=True) > now > read_time("2h", forwards=False)
    assert read_time("tomorrow", forwards=True) > now + timedelta(days=1)
    assert read_time("2026-12-24T18:00+01:00", forwards=True).utctimetuple()[3] == 17
    for wrong in ("", "soon", "2026-13-01", "9" * 400 + "d", "25:00"):
        with pytest.raises(click.BadParameter, match="is no time"):
            read_time(wrong, forwards=True)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (b"host=x password=secret dbname=y", b"host=x password=xxxxxx dbname=y"),
        (rb"password = 'se \' cret' x", b"password = xxxxxxxxxxxx x"),
        (b"postgresql://me:secret@h/db?password=a&x=1", b"postgresql://me:xxxxxx@h/db?password=x&x=1"),
        (b"postgresql://me@h/db", b"postgresql://me@h/db"),
    ],
)
def test_passwords_are_masked_in_place(given: bytes, shown: bytes) -> None:
    assert masked(given) == shown


def test_a_difference_does_not_show_passwords(capsys: pytest.CaptureFixture[str]) -> None:
    before = (
        "connstr: host=x password=hidden\ncron: 0 3 * * *\n  - target: https://u:hidden@x/services/hidden\n"
    )
    show_difference(before, before.replace("0 3", "0 4"))
    shown = capsys.readouterr().out
    assert "+cron: 0 4 * * *" in shown
    assert "  target: https://x/xxx" in shown.replace("- ", "  ")
    assert "hidden" not in shown
    change = {"from": {"kind": "chat", "target": "slack://hidden"}, "to": None}
    changes = {"messages[0]": change, "messages[1].target": {"from": "https://x/hidden", "to": "a@b.c"}}
    assert without_secrets(changes) == {
        "messages[0]": {"from": {"kind": "chat", "target": "slack://xxx"}, "to": None},
        "messages[1].target": {"from": "https://x/xxx", "to": "a@b.c"},
    }


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert plain("a\x1b[2J\n\u202eb") == "a\\x1b[2J\\n\\x202eb"
    assert (
        json.loads(to_json({"at": datetime.now().astimezone(), "for": timedelta(seconds=1.5)}))["for"] == 1.5
    )


def test_a_system_crontab_is_told_from_a_users() -> None:
    assert looks_like_system("/etc/crontab", "")
    assert looks_like_system("x", "0 3 * * * root true\n@daily daemon do it\n")
    assert not looks_like_system("x", "0 3 * * * root\n0 4 * * * backup --all\n")
    (line,) = split_crontab("A=1\n\n# c\n0 3 * * * root a % b\n", True, None)
    assert (line.number, line.user, line.text) == (4, "root", "A=1\n# c\n0 3 * * * a % b\n")


@forms(200, 5_000)
def test_every_text_survives_in_a_file(size: int) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)

    def check(name: str, code: str, description: str) -> None:
        job = {
            "name": name,
            "description": description,
            "steps": [{"name": name, "sql": code}, {"name": code, "batch": name}],
        }
        files = Files()
        files.read_text("x.yaml", to_yaml({"jobs": {name: job}}))
        assert files.problems == []
        assert files.document["jobs"] == {name: job}

    for_all(size, check, text, text, text)


def test_where_messages_go_is_taken_out_of_the_arguments() -> None:
    given = b"alert\0j\0--webhook\0https://h/secret\0--chat=slack://a/b\0--email\0a@b.example\0"
    assert masked_arguments(given) == (
        b"alert\0j\0--webhook\0xxxxxxxxxxxxxxxx\0--chat=xxxxxxxxxxx\0--email\0a@b.example\0"
    )


def hints() -> set[str]:
    """Return the sentences of the extension's modules that show an argument as SQL writes it."""
    found = set()
    for module in (TOP / "plpython").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [part.value if isinstance(part, ast.Constant) else "NAME" for part in parts]
            text = "".join(part for part in texts if isinstance(part, str))
            if " => " in text and re.fullmatch(r"[A-Z].*\.", text):
                found.add(text)
    return found


def test_no_hint_for_a_command_has_the_words_of_sql() -> None:
    command = pgagentctl.get_command(click.Context(pgagentctl), "add")
    assert isinstance(command, Command)
    assert len(hints()) > 5
    for hint in hints():
        assert " => " not in in_own_words(hint, command.options()), hint


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Use if_exists => 'replace', 'keep' or 'add'.", "Use --if-exists replace, keep or add."),
        ("Give class => '...', \"group\" => '...'", "Give --class TEXT, group: TEXT"),
        ("Change it with alter_schedule(7, cron => '0 3 * * *').", "Change it with pgagentctl edit."),
        ("Give 1 or more; see also pause().", "Give 1 or more; see also pgagentctl pause."),
        ("a pause is no pauser, 'x'", "a pause is no pauser, 'x'"),
    ],
)
def test_a_hint_in_the_words_of_a_command(hint: str, shown: str) -> None:
    assert in_own_words(hint, {"if_exists": "--if-exists", "class": "--class"}) == shown


def test_one_long_cell_does_not_make_all_lines_as_long(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "short", "id": 1}, {"name": "n" * 1000, "id": 2}]
    assert Table({"name": "Name", "id": "Id"}).write([rows]) == 2
    heading, short, long = capsys.readouterr().out.splitlines()
    assert (len(heading), len(short)) == (WIDEST + 4, WIDEST + 4)
    assert long == "n" * 1000 + "   2"
