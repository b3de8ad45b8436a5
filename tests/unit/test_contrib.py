"""The dashboard and the alerts: every expression names metrics that there are, with labels that they have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from launcher.vitals import Vitals
from launcher.watching import metrics
from launcher.watching.facts import Facts

TOP = Path(__file__).resolve().parents[2]
METRIC = re.compile(r"\b(pgagent_py_\w+)(?:\{([^}]*)\})?")
FROM_PROMETHEUS = {"instance", "job", "le"}


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """Return the labels of each metric, by name."""
    vitals, facts = Vitals("dbname=x", 1), Facts("dbname=x", 1)
    facts.known = {key: 0 for _, _, key in metrics.FACT_GAUGES} | {
        "each": [
            {
                "jobid": 1,
                "jobname": "x",
                "last_status": None,
                "seconds": 1,
                "failures_in_a_row": 0,
                "next_run": 1,
            }
        ]
    }
    collector = metrics.Metrics([vitals], lambda _: facts)
    collector._watched = [(vitals, facts)]
    found: dict[str, set[str]] = {}
    for family in collector.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def alerts() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe").load(TOP / "contrib/alerts.yaml")["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    dashboard = json.loads((TOP / "contrib/dashboard.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (
        variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"
    )


def test_every_expression_names_metrics_and_labels_that_there_are(labels: dict[str, set[str]]) -> None:
    seen = set()
    for expression in expressions():
        named = METRIC.findall(expression)
        assert named, expression
        assert expression.count("(") == expression.count(")")
        known = FROM_PROMETHEUS.union(*(labels[name] for name, _ in named))
        used = {label for _, matchers in named for label in re.findall(r"(\w+)\s*=?[=~!]", matchers)}
        used |= {
            label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(", ")
        }
        assert used <= known, expression
        seen |= {name for name, _ in named}
    assert len(seen) > 12


def test_a_metric_that_is_gone_would_be_found(labels: dict[str, set[str]]) -> None:
    assert "pgagent_py_serving" in labels
    assert "pgagent_py_no_such" not in labels


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) > 8
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= rule["annotations"].keys()


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((TOP / "contrib/dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
