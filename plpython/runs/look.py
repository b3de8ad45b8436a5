"""Looking: at which due jobs a turn looks before it chooses. Of very many, that is only a part."""

from __future__ import annotations

from typing import NamedTuple

from ..ground.vocabulary import DUE


class Look(NamedTuple):
    """Parameters of the statements with LOOKED."""

    oldest: int | None  # how many of those that are due longest; None: all
    newest: int
    further: list[int]


# $1 to $3 a Look.
LOOKED = f"""
looked AS MATERIALIZED (
    (SELECT j.jobid FROM pgagent.pga_job j WHERE {DUE} ORDER BY j.jobnextrun LIMIT $1)
     UNION
    (SELECT j.jobid FROM pgagent.pga_job j WHERE {DUE} ORDER BY j.jobnextrun DESC LIMIT $2)
     UNION
    SELECT k FROM unnest($3) k)"""
LOOKED_TYPES = ("int8", "int8", "int4[]")
