"""A release refuses what does not agree; the distribution holds what a build from it needs."""

import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from deploy import dist
from deploy.files import TOP, files, version
from deploy.release import git, problems, release, state_of_git

NEXT = "9.9.9"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout that may be released."""
    top = tmp_path_factory.mktemp("release") / "checkout"
    for path in files(TOP):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / path, top / path, follow_symlinks=False)
    changelog = top / "CHANGELOG.md"
    changelog.write_text(re.sub(r"Not released yet.*\n", "", changelog.read_text()))
    return top


def change(top: Path, file: str, old: str, new: str) -> None:
    text = (top / file).read_text()
    assert old in text
    (top / file).write_text(text.replace(old, new))


def test_what_agrees_is_released_once(ready: Path, tmp_path: Path) -> None:
    top = tmp_path / "checkout"
    shutil.copytree(ready, top, symlinks=True)
    for words in (["init", "--quiet"], ["config", "user.name", "x"], ["config", "user.email", "x@localhost"]):
        git(top, *words)
    assert list(problems(top)) == []
    assert list(state_of_git(top, version(top))) == ["git: the checkout has changes that are not committed"]
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "-m", "x")
    assert list(state_of_git(top, version(top))) == []
    assert release(top) == f"v{version(top)}"
    kept = git(top, "show", "--name-only", "--format=%s", "HEAD").splitlines()
    assert kept[0] == f"Version {version(top)}"
    assert f"sql/released/pgagent_py--{version(top)}.sql.gz" in kept
    with tarfile.open(top / f"tests/released/launcher-{version(top)}.tar.xz") as archive:
        assert {"launcher/main.py", "launcher/watching/ping.py"} <= set(archive.getnames())
    assert list(problems(top)) == []
    (again,) = state_of_git(top, version(top))
    assert "is released already" in again
    change(top, "launcher/main.py", "first moments", "very first moments")
    change(top, "sql/functions/version.sql", "COMMENT ON", " COMMENT ON")
    scripts, launcher = problems(top)
    assert "is released and frozen" in scripts
    assert "it is not the launcher of the sources" in launcher


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("META.json", '"version": "{}",', '"version": "0.1.0",', "META.json: version is 0.1.0"),
        ("META.json", '"stable"', '"testing"', "release_status"),
        ("META.json", '"14.0.0"', '"13.0.0"', "PostgreSQL 13.0.0 is required"),
        ("CHANGELOG.md", "## {}\n", "## {}\n\nNot released yet.\n", "is said to be unreleased"),
        ("CHANGELOG.md", "## {}\n", f"## {NEXT}\n", "the first section is not"),
        ("pgagent_py.control", "{}", NEXT, "must have one {}--<next version>.sql, it has 0"),
        (".ci/matrix", "14 15 16", "15 16", "it does not say 15 to 18"),
        ("sql/released/SHA256SUMS", "--1.0.0.sql", "--0.9.0.sql", "do not have the same scripts"),
        ("sql/released/SHA256SUMS", "856505", "123456", "a released script never changes"),
    ],
)
def test_what_does_not_agree_is_refused(
    ready: Path, tmp_path: Path, file: str, old: str, new: str, words: str
) -> None:
    top = tmp_path / "checkout"
    shutil.copytree(ready, top, symlinks=True)
    old, new, words = (text.replace("{}", version(TOP)) for text in (old, new, words))
    change(top, file, old, new)
    assert any(words in problem for problem in problems(top)), list(problems(top))


def test_a_build_from_the_distribution_needs_no_renderer(tmp_path: Path) -> None:
    """Its scripts are the newest files, however it is unpacked: make has nothing to render."""
    subprocess.run(["make", "--silent", "all"], cwd=TOP, check=True)
    archive = dist.write()
    with zipfile.ZipFile(archive) as file:
        assert "META.json" in {Path(name).name for name in file.namelist() if name.count("/") == 1}
        file.extractall(tmp_path)
    archive.unlink()
    top = tmp_path / archive.stem
    assert set(files(TOP)) <= {path.relative_to(top) for path in top.rglob("*")}
    done = subprocess.run(["make", "--dry-run", "all"], cwd=top, check=True, capture_output=True, text=True)
    assert "sql.render" not in done.stdout
