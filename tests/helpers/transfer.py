"""Jobs as JSON."""

from typing import Any

from psycopg.types.json import Jsonb

from tests.helpers import Db, value


def export(db: Db) -> dict[str, Any]:
    return dict(value(db, "SELECT pgagent_py.export_jobs()"))


def import_(db: Db, document: Any, dry_run: bool = False) -> dict[str, tuple[str, Any]]:
    rows = db.execute(
        "SELECT name, action, changes FROM pgagent_py.import_jobs(%s, %s)", [Jsonb(document), dry_run]
    )
    return {name: (action, changes) for name, action, changes in rows}
