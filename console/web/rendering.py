"""Templates are files of templates/; everything that comes into them is escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import text

HERE = Path(__file__).parent


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "local": text.local,
        "span": text.span,
        "status": text.status,
        "code": text.code,
        "output": text.output,
        "pretty": text.pretty,
    }
    return environment


def render(name: str, context: dict[str, Any]) -> str:
    """Return the text of a template."""
    return _environment().get_template(name).render(context)
