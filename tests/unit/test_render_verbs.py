"""sql/macros/verb.j2: what it makes of a verb's arguments, each of which stands once."""

import re

import pytest

from sql.render.modules import RenderError
from sql.render.scripts import Renderer
from sql.render.verbs import Argument, literal, read_argument
from tests.unit.test_render import TOP


def render(*arguments: str, **options: object) -> str:
    """Return the SQL of a verb `act` with these arguments, on one line."""
    call = f'{{% call verb("act", {list(arguments)}, **{options}) %}}It acts.{{% endcall %}}'
    template = '{% from "macros/verb.j2" import verb %}' + call
    return " ".join(Renderer(TOP).templates.from_string(template).render().split())


@pytest.mark.parametrize(
    ("text", "argument", "declaration", "value"),
    [
        ("job integer", Argument("job", "integer", None, None), '"job" integer', "act.job"),
        (
            "when text DEFAULT 'success'",
            Argument("when", "text", None, "'success'"),
            "\"when\" text DEFAULT 'success'",
            "act.when",
        ),
        ("at_time time", Argument("at_time", "time", None, None), '"at_time" time', "act.at_time"),
        (
            "timeout interval AS seconds DEFAULT NULL",
            Argument("timeout", "interval", "seconds", "NULL"),
            '"timeout" interval DEFAULT NULL',
            "extract(epoch FROM act.timeout)",
        ),
        (
            "parameters jsonb AS text",
            Argument("parameters", "jsonb", "text", None),
            '"parameters" jsonb',
            "act.parameters::text",
        ),
        (
            "days double precision[] DEFAULT '{}'",
            Argument("days", "double precision[]", None, "'{}'"),
            "\"days\" double precision[] DEFAULT '{}'",
            "act.days",
        ),
    ],
)
def test_argument(text: str, argument: Argument, declaration: str, value: str) -> None:
    read = read_argument(text)
    assert read == argument
    assert read.declaration == declaration
    assert read.value("act") == value


@pytest.mark.parametrize("text", ["job", "timeout interval AS minutes", "", "no-name text"])
def test_what_is_no_argument_is_refused(text: str) -> None:
    with pytest.raises(RenderError, match=re.escape(f'"{text}" is not NAME TYPE')):
        read_argument(text)


def test_prose_becomes_a_string_of_sql() -> None:
    assert literal("\nThe job's\n    end.\n") == "'The job''s end.'"
    assert literal("One.\n\n  Two.\n") == "'One.\n\nTwo.'"
    assert literal("Some:\n- one\n  and a half\n- two\n\nAll.") == "'Some:\n- one and a half\n- two\n\nAll.'"


def test_function_request_and_comment_come_from_one_list() -> None:
    sql = render("job integer", "end timestamptz DEFAULT NULL")
    assert sql == (
        'CREATE OR REPLACE FUNCTION pgagent_py.act("job" integer, "end" timestamptz DEFAULT NULL) RETURNS void '
        "LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $plpgsql$ DECLARE "
        "answer jsonb := pgagent_py._ask('act', jsonb_build_object( 'job', act.job, 'end', act.end)); BEGIN END $plpgsql$; "
        "COMMENT ON FUNCTION pgagent_py.act(integer, timestamptz) IS 'It acts.';"
    )


def test_settings_of_a_verb() -> None:
    pinned = "SET search_path = pg_catalog, pg_temp"
    assert f"{pinned} AS " in render("timeout interval AS seconds")
    assert f"{pinned} SET intervalstyle = 'postgres' AS " in render("every interval", "keep interval")
    assert f"{pinned} SET jit = off AS " in render(settings=["jit = off"])


@pytest.mark.parametrize(
    ("returns", "body"),
    [
        ("void", ""),
        ("jsonb", "RETURN answer; "),
        ("integer", "RETURN answer::integer; "),
        ("SETOF integer", "RETURN QUERY SELECT jsonb_array_elements(answer)::integer; "),
        (
            "TABLE (job integer, name text)",
            "RETURN QUERY SELECT r.* FROM jsonb_to_recordset(answer) r (job integer, name text); ",
        ),
    ],
)
def test_result_of_a_verb(returns: str, body: str) -> None:
    assert f"RETURNS {returns} LANGUAGE plpgsql" in render(returns=returns)
    assert f" BEGIN {body}END $plpgsql$" in render(returns=returns)
