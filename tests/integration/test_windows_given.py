"""Windows: what is refused, how they are given to jobs and classes, and carried elsewhere."""

from typing import Any

import psycopg
import pytest

from tests.helpers import Db, add_job, alter_job, rows, value
from tests.helpers.transfer import export, import_

REFUSED = [
    ("name => ' '", "22023"),
    ("name => NULL", "22023"),
    ("name => 'a,b', duration => '1 h'", "22023"),
    ("name => ' a', duration => '1 h'", "22023"),
    ("name => 'a'", "22023"),
    ("name => 'a', duration => '0'", "22023"),
    ("name => 'a', duration => '-1 h'", "22023"),
    ("name => 'a', duration => '1 month'", "22023"),
    ("name => 'a', duration => '1.5 s'", "22023"),
    ("name => 'a', duration => '367 days'", "22023"),
    ("name => 'a', duration => '1 h', cron => '@reboot'", "22023"),
    ("name => 'a', duration => '1 h', cron => '0 22 * *'", "22023"),
    ("name => 'a', duration => '1 h', cron => '0 22 * * *', hours => '{1}'", "22023"),
    ("name => 'a', duration => '1 h', hours => '{24}'", "22023"),
    ("name => 'a', duration => '1 h', nth => '{1}'", "22023"),
    ("name => 'a', duration => '1 h', cron => '0 0 1 * *', workdays => '{1}'", "22023"),
    ("name => 'a', duration => '1 h', workdays => '{1}', monthdays => '{1}'", "22023"),
    ("name => 'a', duration => '1 h', timezone => 'Nowhere'", "22023"),
    ("name => 'taken', duration => '1 h'", "42710"),
]


def test_what_is_refused(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_window('taken', duration => '1 h')")
    for arguments, sqlstate in REFUSED:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"SELECT pgagent_py.add_window({arguments})".encode())
        assert caught.value.sqlstate == sqlstate, arguments
    job = add_job(db, "job", "SELECT 1")
    for call in (
        "alter_job({}, \"window\" => 'taken, gone')",
        "alter_job({}, at_window_end => 'never')",
        "set_limit('Data Export', \"window\" => 'gone')",
        "set_limit(\"group\" => 'g', \"window\" => 'taken')",
        "drop_window('gone')",
        "drop_window(NULL)",
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            db.execute(f"SELECT pgagent_py.{call.format(job)}".encode())
    alter_job(db, job, window=" taken ,taken")
    assert value(db, 'SELECT "window" FROM pgagent_py.job_options') == "taken"
    db.execute("SELECT pgagent_py.set_limit('Data Export', \"window\" => 'taken', running => 2)")
    for users, undo in (
        (f'class "Data Export", job {job}', f"alter_job({job}, \"window\" => '')"),
        ('class "Data Export"', "set_limit('Data Export', \"window\" => '')"),
    ):
        with pytest.raises(psycopg.errors.DependentObjectsStillExist, match=users):
            db.execute("SELECT pgagent_py.drop_window('taken')")
        db.execute(f"SELECT pgagent_py.{undo}".encode())
    assert rows(db, 'SELECT class, running, "window" FROM pgagent_py.limits') == [("Data Export", 2, None)]
    db.execute("SELECT pgagent_py.drop_window('taken')")
    assert rows(db, "SELECT * FROM pgagent_py.windows") == []


def test_a_limit_and_a_window_of_a_class_do_not_change_each_other(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_window('w', duration => '1 h')")
    limits = 'SELECT running, "window" FROM pgagent_py.limits'
    for arguments, expected in (
        ("\"window\" => 'w'", [(None, "w")]),
        ("running => 3", [(3, "w")]),
        ("\"window\" => ' w '", [(3, "w")]),
        ("running => 0", [(None, "w")]),
        ("running => 1", [(1, "w")]),
        ("\"window\" => ''", [(1, None)]),
        ("running => 0", []),
    ):
        db.execute(f"SELECT pgagent_py.set_limit('Data Export', {arguments})".encode())
        assert rows(db, limits) == expected, arguments


def test_windows_are_exported_imported_and_told_of(db: Db) -> None:
    db.execute(
        "SELECT pgagent_py.add_window('nights', '0 22 * * *', duration => '8 h', timezone => 'Asia/Tokyo')"
    )
    db.execute(
        "SELECT pgagent_py.add_window('end', workdays => '{-1}', hours => '{0}', duration => '1 d', closed => true)"
    )
    job = add_job(db, "job", "SELECT 1")
    db.execute("UPDATE pgagent.pga_job SET jobdesc = E'@window nights, end\\n@at_window_end stop'")
    options = 'SELECT "window", at_window_end FROM pgagent_py.job_options'
    assert rows(db, options) == [("end, nights", "stop")]
    document = export(db)
    assert document["windows"] == {
        "nights": {"cron": "0 22 * * *", "duration": "08:00:00", "timezone": "Asia/Tokyo"},
        "end": {"workdays": [-1], "hours": [0], "duration": "1 day", "closed": True},
    }
    assert document["jobs"]["job"]["window"] == "end, nights"
    assert document["jobs"]["job"]["atwindowend"] == "stop"
    db.execute("SELECT pgagent_py.drop_job(%s)", [job])
    db.execute("SELECT pgagent_py.drop_window(w.name) FROM pgagent_py.windows w")
    import_(db, document)
    assert export(db) == document
    assert {action for action, _ in import_(db, document).values()} == {"same"}
    wrong: Any
    for wrong in (
        {"cron": "0 22 * * *"},
        {"duration": 8},
        {"duration": "1 h", "when": 1},
        [],
        {"duration": "x"},
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=r'windows."nights"'):
            import_(db, {"windows": {"nights": wrong}})
    told = rows(
        db, "SELECT DISTINCT action, jobname FROM pgagent_py.job_changes WHERE object = 'window' ORDER BY 1"
    )
    assert [action for action, _ in told] == ["delete", "insert"]
    db.execute("UPDATE pgagent.pga_job SET jobdesc = ''")
    assert rows(db, options) == [(None, "finish")]
    # A restore may bring what programs can't read
    huge = """('{"a": ' || repeat('7', 5000) || '}')::jsonb"""
    db.execute(f"UPDATE pgagent_py.job_window SET wingiven = {huge} WHERE winname = 'end'".encode())
    assert export(db)["windows"]["end"] == {"duration": "1 day", "closed": True}
    assert {action for action, _ in import_(db, {"jobs": {}}).values()} == set()
