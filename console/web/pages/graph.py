"""The dependencies of all jobs as a graph."""

from starlette.responses import Response

from ..drawing import dependencies
from ..visit import Visit


def show(visit: Visit) -> Response:
    """Show it."""
    return visit.show("graph.html", picture=dependencies.whole(visit))
