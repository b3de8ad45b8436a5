"""The first moments of the command pgagentctl: it says what to install if something is missing, and ends with a status."""

from __future__ import annotations

import sys

# The extra that brings each package. Nothing else may be missing: the launcher's own packages always are there.
EXTRAS = {
    "click": "ctl",
    "rich": "ctl",
    "ruamel": "ctl",
    "starlette": "web",
    "uvicorn": "web",
    "python_multipart": "web",
    "multipart": "web",
    "pygments": "web",
}


def main() -> int:
    """Run the command; return its exit status: 0 done, 1 bad news, 2 wrong use, 3 no connection or no right, 130 interrupted."""
    try:
        from .cli import run

        return run(sys.argv[1:])
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f"pgagentctl: {error.name} is not installed\nHINT: pip install 'pgagent_py[{extra}]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
