"""Jobs of one name in a document, and the labels that tell them apart."""

from tests.helpers import Db, value
from tests.helpers.transfer import export


def test_what_is_exported_of_a_job_is_the_same_in_any_company(db: Db) -> None:
    for name in ("a", "b", "a", "a (2)", "c", "a (2)", "a", "a (2) (2)", "b"):
        db.execute("SELECT pgagent_py.add_job(%s, sql => 'SELECT 1')", [name])
    for job, after in ((5, 7), (5, 9), (1, 5), (6, 3)):
        db.execute("SELECT pgagent_py.add_dependency(%s, %s)", [job, after])
    whole = export(db)["jobs"]
    assert set(whole["c"]["after"]) == {"a (4)", "b (2)"}
    for chosen in ([1], [3], [5], [6], [7, 1], [9, 4, 8]):
        part = value(db, f"SELECT pgagent_py.export_jobs(ARRAY{chosen})")["jobs"]
        assert part.items() <= whole.items(), chosen
        assert len(part) == len(chosen)
