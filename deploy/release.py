"""make release: check that everything is about the same version, keep its scripts and launcher for ever, commit, tag, build.

python -m deploy.release --check only says what keeps it from being released.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from sql.render.__main__ import freeze_version
from sql.render.modules import RenderError
from sql.render.scripts import Renderer
from sql.render.updates import check_kept, check_paths, check_released

from .files import TOP, files, meta, version

UNRELEASED = "Not released yet"


def problems(top: Path) -> Iterator[str]:
    """Yield what does not agree."""
    new = version(top)
    told = meta(top)
    for place, said in (
        ("version", told["version"]),
        ("provides", told["provides"]["pgagent_py"]["version"]),
    ):
        if said != new:
            yield f"META.json: {place} is {said}, pgagent_py.control has {new}"
    if told["release_status"] != "stable":
        yield f"META.json: release_status is {told['release_status']}"
    yield from _changelog(top, new)
    yield from _frozen(top, new)
    yield from _matrix(top)


def _changelog(top: Path, new: str) -> Iterator[str]:
    sections = re.split(r"(?m)^## ", (top / "CHANGELOG.md").read_text())[1:]
    first = sections[0] if sections else ""
    if first.split("\n", 1)[0].split(" ")[0] != new:
        yield f"CHANGELOG.md: the first section is not {new}"
    if UNRELEASED in first:
        yield f"CHANGELOG.md: {new} is said to be unreleased: take the line out"
    if not re.search(r"(?m)^- ", first):
        yield f"CHANGELOG.md: {new} has no entries"


def _frozen(top: Path, new: str) -> Iterator[str]:
    """Each version before must lead to this one, and what is kept of this one must be what the sources make."""
    try:
        check_kept(top)
        check_paths(top, new)
        check_released(top, f"pgagent_py--{new}.sql", Renderer(top).install_script())
    except RenderError as error:
        yield f"sql: {error}"
    tar = _launcher(top, new)
    if tar.exists() and tar.read_bytes() != launcher_archive(top):
        with tarfile.open(tar) as kept, tarfile.open(fileobj=io.BytesIO(launcher_archive(top))) as made:
            if _contents(kept) != _contents(made):
                yield f"{tar.relative_to(top)}: it is not the launcher of the sources"


def _matrix(top: Path) -> Iterator[str]:
    """The versions of PostgreSQL that are tested are those that users are told of."""
    found = re.search(r"set -- ((?:\d+ ?)+)", (top / ".ci/matrix").read_text())
    tested = found[1].split() if found else ["none"]
    span = f"{tested[0]} to {tested[-1]}"
    for page in ("README.md", "Makefile"):
        if span not in (top / page).read_text():
            yield f"{page}: it does not say {span}, which .ci/matrix tests"
    needed = meta(top)["prereqs"]["runtime"]["requires"]["PostgreSQL"]
    if needed.split(".")[0] != tested[0]:
        yield f"META.json: PostgreSQL {needed} is required, .ci/matrix tests {span}"


def _launcher(top: Path, new: str) -> Path:
    return top / f"tests/released/launcher-{new}.tar.xz"


def launcher_archive(top: Path) -> bytes:
    """Return the launcher as later versions are tested with it: always the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for path in files(top / "launcher"):
            if path.suffix == ".py":
                entry = tarfile.TarInfo(f"launcher/{path}")
                content = (top / "launcher" / path).read_bytes()
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _contents(archive: tarfile.TarFile) -> dict[str, bytes]:
    members = [member for member in archive.getmembers() if member.isfile()]
    return {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in members}


def git(top: Path, *words: str) -> str:
    """Return what a git command prints."""
    return subprocess.run(["git", *words], cwd=top, check=True, capture_output=True, text=True).stdout


def state_of_git(top: Path, new: str) -> Iterator[str]:
    """Yield why this is not the moment."""
    if git(top, "status", "--porcelain"):
        yield "git: the checkout has changes that are not committed"
    if git(top, "tag", "--list", f"v{new}").strip():
        yield f"git: v{new} is released already; begin the next version"


def release(top: Path) -> str:
    """Keep scripts and launcher, commit and tag; return the tag."""
    new = version(top)
    freeze_version(Renderer(top))
    _launcher(top, new).write_bytes(launcher_archive(top))
    git(top, "add", "sql/released", "tests/released")
    if git(top, "status", "--porcelain"):
        git(top, "commit", "--quiet", "-m", f"Version {new}")
    git(top, "tag", "--annotate", f"v{new}", "-m", f"Version {new}")
    return f"v{new}"


def main() -> int:
    """Release this checkout, or say what keeps it from that; return the exit status."""
    parser = argparse.ArgumentParser(description="Release this version of pgagent_py.")
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--top", type=Path, default=TOP, help="checkout")
    options = parser.parse_args()
    found = [*problems(options.top), *state_of_git(options.top, version(options.top))]
    for problem in found:
        print(f"make release: {problem}", file=sys.stderr)
    if found:
        return 1
    if not options.check:
        print(
            f"tagged {release(options.top)}; push it when make test-all and what was built are to your liking"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
