"""Write one script of the extension.

python -m sql.render                 writes pgagent_py--<version>.sql
python -m sql.render --update 1.0.0  writes pgagent_py--1.0.0--<next>.sql from sql/updates/1.0.0--<next>.sql
"""

import argparse
import sys
from pathlib import Path

import jinja2

from .modules import RenderError
from .scripts import Renderer, update_step


def main() -> int:
    """Write one script; return the exit status."""
    parser = argparse.ArgumentParser(description="Render the extension scripts of pgagent_py.")
    parser.add_argument("--update", metavar="OLD", help="the script that updates from version OLD")
    parser.add_argument("--top", type=Path, default=Path(__file__).resolve().parents[2], help="checkout")
    options = parser.parse_args()
    try:
        renderer = Renderer(options.top)
        if options.update:
            new = update_step(options.top, options.update)
            versions, text = f"{options.update}--{new}", renderer.update_script(options.update, new)
        else:
            versions, text = renderer.version, renderer.install_script()
    except (RenderError, jinja2.TemplateError, SyntaxError) as error:
        where = f"{error.filename}:{error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
        print(f"sql.render: {where}{error}", file=sys.stderr)
        return 1
    (options.top / f"pgagent_py--{versions}.sql").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
