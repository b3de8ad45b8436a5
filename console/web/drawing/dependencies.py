"""Which jobs wait for which: columns from left to right, each job right of those that it waits for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from markupsafe import Markup

from ..visit import Visit
from .svg import cut, element, link, picture, titled

WIDTH, HEIGHT, GAP_X, GAP_Y = 190, 34, 70, 14
MOST = 1000

EDGES = """
SELECT d.jobid, d.jobafter, d."when", d.met FROM pgagent_py.dependencies d
 WHERE %(job)s::integer IS NULL OR d.jobid = %(job)s OR d.jobafter = %(job)s ORDER BY d.jobid, d.jobafter LIMIT %(most)s"""
NAMES = "SELECT jobid, jobname, last_status FROM pgagent_py.job_status WHERE jobid = ANY (%(jobs)s)"

Edge = tuple[int, int, str, bool]


def whole(visit: Visit) -> Markup:
    """Return the graph of all jobs that wait or are waited for."""
    return _picture(visit, None)


def around(visit: Visit, job: int) -> Markup:
    """Return the graph of a job and its neighbours."""
    return _picture(visit, job)


def _picture(visit: Visit, job: int | None) -> Markup:
    edges: list[Edge] = [tuple(row) for row in visit.rows(EDGES, job=job, most=MOST)]
    if not edges:
        return Markup("")
    ids = sorted({id_ for waiting, after, _, _ in edges for id_ in (waiting, after)})
    found = {row.jobid: row for row in visit.rows(NAMES, jobs=ids)}
    places = layout([(after, waiting) for waiting, after, _, _ in edges])
    content = [_edge(places[after], places[waiting], when, met) for waiting, after, when, met in edges]
    for id_, (column, row) in places.items():
        x, y = _corner(column, row)
        known = found.get(id_)
        name = known.jobname if known else f"job {id_}"
        status = ((known.last_status if known else None) or "never run").replace(" ", "-")
        shapes = [
            element(
                "rect", {"x": x, "y": y, "width": WIDTH, "height": HEIGHT, "rx": 5, "class": f"node {status}"}
            ),
            element("text", {"x": x + 10, "y": y + 21}, cut(name, 24)),
        ]
        content.append(link(visit.url(f"jobs/{id_}"), f"{name}: {status.replace('-', ' ')}", *shapes))
    columns = 1 + max(column for column, _ in places.values())
    rows = 1 + max(row for _, row in places.values())
    return picture(columns * (WIDTH + GAP_X), rows * (HEIGHT + GAP_Y) + GAP_Y, "Dependencies", *content)


def layout(edges: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return column and row of each node, for edges (from, to): columns by the longest way, rows near what comes before."""
    before: dict[int, set[int]] = defaultdict(set)
    for start, end in edges:
        before[end].add(start)
        before.setdefault(start, set())
    column: dict[int, int] = {}
    for node in _in_order(before):
        column[node] = max((column[other] + 1 for other in before[node] if other in column), default=0)
    return _rows(column, before)


def _in_order(before: Mapping[int, set[int]]) -> list[int]:
    """Return the nodes, each after those before it. A circle, which two sessions at once can close, is cut open."""
    open_edges = {node: set(others) for node, others in before.items()}
    while True:
        try:
            return list(TopologicalSorter(open_edges).static_order())
        except CycleError as error:
            circle = error.args[1]
            open_edges[circle[1]].discard(circle[0])


def _rows(column: Mapping[int, int], before: Mapping[int, set[int]]) -> dict[int, tuple[int, int]]:
    places: dict[int, tuple[int, int]] = {}

    def wanted(node: int) -> float:
        rows = [places[other][1] for other in before[node] if other in places]
        return sum(rows) / len(rows) if rows else float(node)

    for level in range(1 + max(column.values())):
        nodes = sorted(
            (node for node in column if column[node] == level), key=lambda node: (wanted(node), node)
        )
        places |= {node: (level, row) for row, node in enumerate(nodes)}
    return places


def _corner(column: int, row: int) -> tuple[int, int]:
    return column * (WIDTH + GAP_X) + 5, row * (HEIGHT + GAP_Y) + GAP_Y


def _edge(start: tuple[int, int], end: tuple[int, int], when: str, met: bool) -> Markup:
    x1, y1 = _corner(*start)
    x2, y2 = _corner(*end)
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    middle = (x1 + x2) // 2
    path = element(
        "path",
        {
            "d": f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2 - 6} {y2}",
            "class": f"edge {when}{' met' if met else ''}",
        },
    )
    head = element("path", {"d": f"M{x2 - 8} {y2 - 4}L{x2} {y2}L{x2 - 8} {y2 + 4}z", "class": "arrow"})
    return element("g", {}, titled(f"on {when}{', met' if met else ''}", path, head))
