"""What the tests of updates share: installing scripts, and looking at an extension's objects and rights."""

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from sql.render.scripts import read_version
from sql.render.updates import released_script
from tests.helpers import Cluster, pg_config

TOP = Path(__file__).resolve().parents[2]


def install_scripts(*scripts: Path) -> None:
    """Put scripts where CREATE and ALTER EXTENSION look for them.

    They stay: other processes of the same test run may install and use them at this moment.
    """
    directory = pg_config("--sharedir") / "extension"
    for script in scripts:
        partial = shutil.copy(script, directory / f"{script.name}.{os.getpid()}")
        Path(partial).replace(directory / script.name)


def install_released(version: str, scratch: Path) -> None:
    """Install the frozen script of a released version."""
    script = scratch / f"pgagent_py--{version}.sql"
    text = released_script(TOP, script.name)
    assert text is not None
    script.write_text(text)
    install_scripts(script)


def copy_of_checkout(tree: Path) -> Path:
    """Make a copy of what scripts are rendered from."""
    for part in ("sql", "plpython"):
        shutil.copytree(TOP / part, tree / part)
    shutil.copy(TOP / "pgagent_py.control", tree)
    return tree


def release(tree: Path, next_version: str) -> None:
    """Do what a release does: freeze the scripts of *tree*, begin *next_version* with an empty update file."""
    render(tree, "--freeze")
    control = tree / "pgagent_py.control"
    version = read_version(tree)
    control.write_text(control.read_text().replace(f"'{version}'", f"'{next_version}'"))
    (tree / f"sql/updates/{version}--{next_version}.sql").write_text("")


def render(tree: Path, *options: str) -> None:
    """Run the renderer over *tree*."""
    command = [sys.executable, "-m", "sql.render", "--top", str(tree), *options]
    subprocess.run(command, cwd=TOP, check=True)


def dump_of_members(cluster: Cluster, dbname: str) -> str:
    """Return the definitions of all objects, those of the extension too, without what no two databases share."""
    dump = cluster.run("pg_dump", "--schema-only", "--binary-upgrade", dbname).stdout
    # How the rows of before an ADD COLUMN are stored
    dump = re.sub(r"\n-- set missing value\.\n.*\n\n", "", dump)
    # A dump's random guard, and the object and transaction ids that pg_upgrade would preserve
    dump = re.sub(
        r"(?m)^(\\(un)?restrict|SELECT pg_catalog\.binary_upgrade_set_|-- For binary).*\n", "", dump
    )
    dump = re.sub(r"'\{?\d+(,\d+)*\}?'", "'number'", dump)
    # The extensions that this one requires stand in the order in which pg_depend happens to give them
    return re.sub(r"ARRAY\['plpython3u','pgagent'\]", "ARRAY['pgagent','plpython3u']", dump)


def differences(cluster: Cluster, fresh: str, updated: str) -> list[str]:
    """Return in which lines the extension's objects in two databases (connection strings) differ."""
    before, after = (
        dump_of_members(cluster, str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]))
        for conninfo in (fresh, updated)
    )
    assert "CREATE VIEW pgagent_py.job_status" in before
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))


# What each role but the owner may do with the extension's objects; functions by name, since arguments may have changed.
RIGHTS = """
WITH member AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pgagent_py'),
object AS (
    SELECT p.oid::regproc::text AS name, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
      FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
     UNION ALL
    SELECT c.oid::regclass::text, c.relacl FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
     UNION ALL
    SELECT format('%s.%s', a.attrelid::regclass, a.attname), a.attacl
      FROM member m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid
     UNION ALL
    SELECT n.nspname, n.nspacl FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid)
SELECT o.name, CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END, r.privilege_type, r.is_grantable
  FROM object o CROSS JOIN LATERAL aclexplode(nullif(o.acl, '{}')) r WHERE r.grantee <> r.grantor"""


def rights(db: psycopg.Connection[Any]) -> set[tuple[Any, ...]]:
    """Return the rights on the extension's objects: name, grantee, privilege, whether it may be granted on."""
    return set(db.execute(RIGHTS).fetchall())
