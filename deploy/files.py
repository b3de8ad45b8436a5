"""What the project consists of, and what of it says the version."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
# What tools leave in a checkout
LEFT_OUT = (".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
LEFT_OUT_AT_TOP = ("build", "dist", "results", "regression.*", "pgagent_py--*.sql")


def files(top: Path = TOP) -> Iterator[Path]:
    """Yield the project's files, relative to *top*, in order."""
    for folder, folders, names in os.walk(top):
        at_top = Path(folder) == top
        out = LEFT_OUT + (LEFT_OUT_AT_TOP if at_top else ())
        folders[:] = sorted(name for name in folders if not any(fnmatch.fnmatch(name, p) for p in out))
        links = [name for name in folders if (Path(folder) / name).is_symlink()]  # walk does not follow them
        for name in sorted([*names, *links]):
            if not any(fnmatch.fnmatch(name, pattern) for pattern in out):
                yield (Path(folder) / name).relative_to(top)


def version(top: Path = TOP) -> str:
    """Return the version, which stands in the control file."""
    found = re.search(r"(?m)^default_version = '([^']+)'", (top / "pgagent_py.control").read_text())
    assert found
    return found[1]


def meta(top: Path = TOP) -> dict[str, Any]:
    """Return what META.json says."""
    content: dict[str, Any] = json.loads((top / "META.json").read_text())
    return content
