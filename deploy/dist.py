"""make dist: the distribution for PGXN, dist/pgagent_py-VERSION.zip.

It holds the extension's scripts as well, so that a build from it needs the server's headers only. They come last in the archive
and are the newest of all, so that make takes them for up to date however the archive is unpacked.
"""

from __future__ import annotations

import os
import sys
import time
import zipfile
from pathlib import Path

from .files import TOP, files, version


def write(top: Path = TOP) -> Path:
    """Write the archive; the scripts are built already."""
    name = f"pgagent_py-{version(top)}"
    scripts = sorted(path.relative_to(top) for path in top.glob("pgagent_py--*.sql"))
    if Path(f"pgagent_py--{version(top)}.sql") not in scripts:
        raise SystemExit("make dist: the extension's script is missing: run make")
    target = top / "dist" / f"{name}.zip"
    target.parent.mkdir(exist_ok=True)
    then = int(os.environ.get("SOURCE_DATE_EPOCH", time.time())) - 10
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*files(top), *scripts]:
            source = top / path
            moment = time.gmtime(then + (10 if path in scripts else 0))
            entry = zipfile.ZipInfo(f"{name}/{path}", moment[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            link = source.is_symlink()
            entry.external_attr = (0o120777 if link else 0o100000 | (source.stat().st_mode & 0o755)) << 16
            archive.writestr(entry, str(source.readlink()) if link else source.read_bytes())
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{write().relative_to(TOP)}\n")
