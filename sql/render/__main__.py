"""Write one script of the extension.

python -m sql.render                 writes pgagent_py--<version>.sql
python -m sql.render --update 1.0.0  writes pgagent_py--1.0.0--<next>.sql from sql/updates/1.0.0--<next>.sql
python -m sql.render --freeze        keeps the scripts of this version, which is being released, in sql/released/
"""

import argparse
import sys
from pathlib import Path

import jinja2

from .modules import RenderError
from .scripts import Renderer
from .updates import freeze, released_versions, update_step


def main() -> int:
    """Write what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(description="Render the extension scripts of pgagent_py.")
    parser.add_argument("--update", metavar="OLD", help="the script that updates from version OLD")
    parser.add_argument("--top", type=Path, default=Path(__file__).resolve().parents[2], help="checkout")
    parser.add_argument("--freeze", action="store_true", help="keep the scripts of this version for ever")
    options = parser.parse_args()
    try:
        renderer = Renderer(options.top)
        if options.freeze:
            freeze_version(renderer)
        elif options.update:
            new = update_step(options.top, options.update)
            write(options.top, f"{options.update}--{new}", renderer.update_script(options.update, new))
        else:
            write(options.top, renderer.version, renderer.install_script())
    except (RenderError, jinja2.TemplateError, SyntaxError) as error:
        where = f"{error.filename}:{error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
        print(f"sql.render: {where}{error}", file=sys.stderr)
        return 1
    return 0


def write(top: Path, versions: str, text: str) -> None:
    """Write the script of one version, or of one step."""
    (top / f"pgagent_py--{versions}.sql").write_text(text, encoding="utf-8")


def freeze_version(renderer: Renderer) -> None:
    """Keep the install script of the current version, and the update from the version before."""
    new = renderer.version
    freeze(renderer.top, f"pgagent_py--{new}.sql", renderer.install_script())
    for old in released_versions(renderer.top):
        if old != new and update_step(renderer.top, old) == new:
            freeze(renderer.top, f"pgagent_py--{old}--{new}.sql", renderer.update_script(old, new))


if __name__ == "__main__":
    sys.exit(main())
