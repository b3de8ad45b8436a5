"""JSON whose numbers stay as they are: a float has no room for 1e17 + 0.5."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

# Marks numbers in the text of json.dumps: no text of the server has NUL.
_NUMBER = re.compile(r'"\\u0000([^"]*)\\u0000"')


def read_json(text: str) -> Any:
    """Return the value of *text*; numbers with a fraction are Decimals."""
    return json.loads(text, parse_float=Decimal)


def write_json(value: Any) -> str:
    """Return *value*, which may hold Decimals, as text."""
    return _NUMBER.sub(r"\1", _ENCODER.encode(value))


def _mark(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no value of JSON")
    return f"\0{value}\0"


# json.dumps() would make one for each value.
_ENCODER = json.JSONEncoder(default=_mark)
