"""sql/render/updates.py: paths between versions, frozen scripts, what an update drops."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sql.render.modules import RenderError
from sql.render.scripts import Renderer, read_version
from sql.render.updates import (
    check_paths,
    freeze,
    released_script,
    released_versions,
    update_step,
    what_remains,
)

TOP = Path(__file__).resolve().parents[2]
SHA256_OF_1_0_0 = "856505fd093ad96c2c5e7afe90c97ce7640955ec0a819bfa5688e4b99b625d74"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what scripts are rendered from, of version 5.1, with a released version 5.0."""
    for part in ("sql", "plpython"):
        shutil.copytree(TOP / part, tmp_path / part)
    for part in ("released", "updates"):
        shutil.rmtree(tmp_path / "sql" / part)
    (tmp_path / "sql/updates").mkdir()
    set_version(tmp_path, "5.0")
    freeze(tmp_path, "pgagent_py--5.0.sql", Renderer(tmp_path).install_script())
    set_version(tmp_path, "5.1")
    (tmp_path / "sql/updates/5.0--5.1.sql").write_text("ALTER TABLE pgagent_py.setting ADD note text;\n")
    return tmp_path


def set_version(tree: Path, version: str) -> None:
    (tree / "pgagent_py.control").write_text(f"default_version = '{version}'\n")


def test_the_released_scripts_are_what_users_have() -> None:
    sums = (TOP / "sql/released/SHA256SUMS").read_text()
    assert f"{SHA256_OF_1_0_0}  pgagent_py--1.0.0.sql\n" in sums
    for line in sums.splitlines():
        assert released_script(TOP, line.split()[1])
    assert len(list((TOP / "sql/released").glob("*.gz"))) == len(sums.splitlines())


def test_every_released_version_can_be_updated_and_has_its_launcher_kept() -> None:
    assert released_versions(TOP)[0] == "1.0.0"
    check_paths(TOP, read_version(TOP))
    for version in released_versions(TOP):
        assert (TOP / f"tests/released/launcher-{version}.tar.xz").exists()


def test_versions_are_ordered_by_number(tree: Path) -> None:
    for version in ("5.10", "5.9"):
        freeze(tree, f"pgagent_py--{version}.sql", "SELECT 1;")
    freeze(tree, "pgagent_py--5.9--5.10.sql", "SELECT 1;")
    assert released_versions(tree) == ["5.0", "5.9", "5.10"]


def test_a_version_without_an_update_file_is_refused(tree: Path) -> None:
    set_version(tree, "5.2")
    with pytest.raises(RenderError, match=r"sql/updates/ must have one 5\.1--<next version>\.sql"):
        Renderer(tree).install_script()


def test_updates_that_go_round_are_refused(tree: Path) -> None:
    (tree / "sql/updates/5.1--5.0.sql").write_text("")
    with pytest.raises(RenderError, match=r"circle: 5\.0 -> 5\.1 -> 5\.0"):
        check_paths(tree, "5.2")


def test_the_update_makes_what_an_install_makes_and_keeps_tables(tree: Path) -> None:
    assert update_step(tree, "5.0") == "5.1"
    renderer = Renderer(tree)
    update = renderer.update_script("5.0", "5.1")
    assert "ALTER EXTENSION pgagent_py UPDATE" in update
    assert "\nCREATE TABLE" not in update
    before, repeatable = update.split("\n-- sql/functions/_ask.sql", 1)
    assert "ADD note text" in before
    functions, _, rest = repeatable.partition("-- When this transaction commits")
    assert functions.strip() in renderer.install_script()
    assert "_load()" in rest


def test_an_update_changes_the_comments_of_tables_and_types(tree: Path) -> None:
    table = "COMMENT ON COLUMN pgagent_py.setting.value IS 'It''s; not\n\n- NULL.';"
    with (tree / "sql/tables/setting.sql").open("a") as file:
        file.write(f"{table}\nINSERT INTO pgagent_py.setting VALUES (1);\n")
    update = Renderer(tree).update_script("5.0", "5.1")
    assert table in update
    assert "COMMENT ON TYPE pgagent_py.step_run IS\n'" in update
    assert "INSERT INTO pgagent_py.setting VALUES" not in update


def test_a_new_table_is_said_once(tree: Path) -> None:
    (tree / "sql/tables/note.sql").write_text("CREATE TABLE pgagent_py.note (text text);")
    (tree / "sql/updates/5.0--5.1.sql").write_text('{{ new("tables/note") }}')
    assert "CREATE TABLE pgagent_py.note (text text);" in Renderer(tree).update_script("5.0", "5.1")


def test_a_released_version_can_not_change(tree: Path) -> None:
    renderer = Renderer(tree)
    for name, text in (
        ("pgagent_py--5.1.sql", renderer.install_script()),
        ("pgagent_py--5.0--5.1.sql", renderer.update_script("5.0", "5.1")),
    ):
        freeze(tree, name, text)
    Renderer(tree).install_script()
    (tree / "sql/tables/note.sql").write_text("CREATE TABLE pgagent_py.note (text text);")
    with pytest.raises(RenderError, match="released and frozen"):
        Renderer(tree).install_script()
    with pytest.raises(RenderError, match="released and frozen"):
        freeze(tree, "pgagent_py--5.1.sql", "SELECT 1;")


def test_a_released_script_that_was_changed_is_refused(tree: Path) -> None:
    (tree / "sql/released/pgagent_py--5.0.sql.gz").write_bytes(gzip.compress(b"SELECT 1;"))
    with pytest.raises(RenderError, match="a released script never changes"):
        released_script(tree, "pgagent_py--5.0.sql")


def test_an_earlier_update_is_the_released_one(tree: Path) -> None:
    text = Renderer(tree).update_script("5.0", "5.1")
    freeze(tree, "pgagent_py--5.1.sql", Renderer(tree).install_script())
    freeze(tree, "pgagent_py--5.0--5.1.sql", text)
    set_version(tree, "5.2")
    (tree / "sql/updates/5.1--5.2.sql").write_text("")
    (tree / "sql/tables/note.sql").write_text("CREATE TABLE pgagent_py.note (text text);")
    assert Renderer(tree).update_script("5.0", "5.1") == text
    (tree / "sql/released/pgagent_py--5.0--5.1.sql.gz").unlink()
    with pytest.raises(RenderError, match="is missing"):
        Renderer(tree).update_script("5.0", "5.1")


def test_the_command_freezes_and_updates(tree: Path) -> None:
    command = [sys.executable, "-m", "sql.render", "--top", str(tree)]
    subprocess.run([*command, "--freeze"], cwd=TOP, check=True)
    assert released_versions(tree) == ["5.0", "5.1"]
    assert released_script(tree, "pgagent_py--5.0--5.1.sql")
    subprocess.run([*command, "--update", "5.0"], cwd=TOP, check=True)
    assert "ADD note text" in (tree / "pgagent_py--5.0--5.1.sql").read_text()
    done = subprocess.run([*command, "--update", "4.0"], cwd=TOP, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "4.0--<next version>.sql" in done.stderr


SCRIPT = """
CREATE OR REPLACE FUNCTION pgagent_py.add(job integer, "end" timestamptz DEFAULT now() - interval '1 day, (or so)',
    names text[] DEFAULT '{}') RETURNS SETOF integer
LANGUAGE sql AS $$ SELECT 1 $$;
CREATE OR REPLACE FUNCTION pgagent_py.listed() RETURNS TABLE (job integer, name text)
LANGUAGE sql AS $$ SELECT 1, '' $$;
CREATE OR REPLACE VIEW pgagent_py.seen AS SELECT 1;
DROP TRIGGER IF EXISTS noted ON pgagent_py.setting;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OF name ON pgagent_py.setting
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._note();
    CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON pgagent.pga_job FOR EACH ROW EXECUTE FUNCTION pgagent_py._note();
"""


def test_what_an_update_leaves_is_read_from_the_script() -> None:
    assert json.loads(what_remains(SCRIPT)) == {
        "functions": [
            {
                "name": "add",
                "set": True,
                "result": "integer",
                "columns": [["i", "job", "integer"], ["i", "end", "timestamptz"], ["i", "names", "text[]"]],
            },
            {
                "name": "listed",
                "set": True,
                "result": None,
                "columns": [["t", "job", "integer"], ["t", "name", "text"]],
            },
        ],
        "views": ["seen"],
        "triggers": ["noted ON pgagent_py.setting", "late ON pgagent.pga_job"],
    }
