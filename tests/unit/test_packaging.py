"""The files that carry the project to its users: versions, META.json, wheel, service unit, make."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pgxnclient import SemVer
from ruamel.yaml import YAML

from deploy import man
from launcher.options import parser
from sql.render.scripts import read_version

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def meta() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((TOP / "META.json").read_text())
    return content


def test_one_version_everywhere(meta: dict[str, Any]) -> None:
    version = read_version(TOP)
    assert meta["version"] == version
    assert meta["provides"]["pgagent_py"]["version"] == version
    assert f"## {version}" in (TOP / "CHANGELOG.md").read_text()
    assert "version" in tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dynamic"]


def test_meta_has_what_the_pgxn_spec_demands(meta: dict[str, Any]) -> None:
    """The required keys, and the formats that PGXN's manager checks on upload."""
    required = {"abstract", "maintainer", "license", "provides", "version", "name", "meta-spec"}
    assert required <= meta.keys()
    assert all(
        isinstance(meta[key], str) and meta[key] for key in ("abstract", "maintainer", "name", "license")
    )
    assert re.fullmatch(r"[^\s/\\\0-\x1f]{2,}", meta["name"])
    assert meta["license"] == "postgresql"
    assert meta["release_status"] in {"stable", "testing", "unstable"}
    assert SemVer(meta["meta-spec"]["version"]) >= SemVer("1.0.0")
    assert all(0 < len(tag) <= 255 and not re.search(r"[/\\\0-\x1f]", tag) for tag in meta["tags"])
    for requirements in meta["prereqs"]["runtime"].values():
        assert all(str(SemVer(version)) == version for version in requirements.values())
    for name, extension in meta["provides"].items():
        assert str(SemVer(extension["version"])) == extension["version"]
        assert extension["file"] == f"{name}--{extension['version']}.sql"  # made by make
        assert (TOP / extension["docfile"]).is_file()


def test_meta_names_what_the_control_file_requires(meta: dict[str, Any]) -> None:
    found = re.search(r"(?m)^requires = '(.*)'", (TOP / "pgagent_py.control").read_text())
    assert found
    assert set(found[1].split(", ")) <= meta["prereqs"]["runtime"]["requires"].keys()


def test_wheel_holds_launcher_console_and_their_commands(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--wheel-dir", tmp_path, TOP], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.split("-")[1] == read_version(TOP)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        commands = archive.read(entry_points).decode()
    assert "pgagent-py = pgagent_py_launcher.main:main" in commands
    assert "pgagentctl = pgagent_py_console.main:main" in commands
    for folder in ("launcher", "console"):
        modules = {f"pgagent_py_{path.relative_to(TOP)}" for path in (TOP / folder).rglob("*.py")}
        assert modules
        assert modules <= set(names)


UNITS = ("pgagent-py.service", "pgagent-py@.service")
# What keeps setgid programs from working, such as Postfix's: in a service with a user of its own each of these takes that.
NO_MORE_RIGHTS = re.compile(
    r"(?m)^(NoNewPrivileges|RestrictSUIDSGID|ProtectKernel\w+|ProtectClock|ProtectHostname|RestrictRealtime|LockPersonality"
    r"|SystemCall\w+|RestrictAddressFamilies|RestrictNamespaces|PrivateDevices|MemoryDenyWriteExecute|DynamicUser)="
)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("hardened", [False, True])
def test_service_unit_is_valid(tmp_path: Path, name: str, hardened: bool) -> None:
    program = tmp_path / "pgagent-py"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = (TOP / "deploy/systemd" / name).read_text()
    assert {"Type=notify", "WatchdogSec=60", 'ExecReload=/bin/sh -c "kill -HUP $MAINPID"'} <= set(
        text.split("\n")
    )
    # A system need not have more than these, for example no /bin/kill.
    assert set(re.findall(r"(?m)^Exec\w+=-?(\S+)", text)) == {"/usr/bin/env", "/bin/sh"}
    # A variable within a word is left to the shell: systemd replaces it only as a word of its own.
    assert not re.search(r"(?m)^Exec\w+=[^\"\n]*[^\s\"]\$\w", text)
    assert NO_MORE_RIGHTS.search(text) is None
    unit = tmp_path / name.replace("@", "@main")
    unit.write_text(text.replace("/opt/pgagent_py/bin/pgagent-py", str(program)))
    if hardened:
        dropin = (TOP / "deploy/systemd/hardening.conf").read_text()
        assert NO_MORE_RIGHTS.search(dropin)
        (tmp_path / f"{unit.name}.d").mkdir()
        (tmp_path / f"{unit.name}.d/hardening.conf").write_text(dropin)
    done = _verify(unit)
    assert done.returncode == 0, done.stderr
    assert "pgagent-py" not in done.stderr


def test_the_units_differ_in_their_settings_only() -> None:
    one, each = ((TOP / "deploy/systemd" / name).read_text().split("\n") for name in UNITS)
    differ = [(a, b) for a, b in zip(one, each, strict=True) if a != b]
    assert [b for _, b in differ] == [
        "Description=Launcher of pgAgent jobs (pgagent_py) with the settings %i",
        "EnvironmentFile=/etc/pgagent-py/%i.conf",
    ]


def test_each_line_of_the_hardening_says_what_it_takes() -> None:
    lines = (TOP / "deploy/systemd/hardening.conf").read_text().splitlines()
    settings = [number for number, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    assert len(settings) > 10
    assert [lines[number] for number in settings if not lines[number - 1].startswith("#")] == []


def test_the_user_is_made_by_systemd(tmp_path: Path) -> None:
    shutil.copy(TOP / "deploy/systemd/sysusers.conf", tmp_path / "x.conf")
    command = ["systemd-sysusers", f"--root={tmp_path}", str(tmp_path / "x.conf")]
    (tmp_path / "etc").mkdir()
    subprocess.run(command, check=True, capture_output=True)
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    assert (line.split(":")[0], line.split(":")[5]) == ("pgagent_py", "/var/lib/pgagent_py")


def test_the_man_page_has_every_option(tmp_path: Path) -> None:
    page = tmp_path / "pgagent-py.1"
    page.write_text("\n".join(man.page()) + "\n")
    environment = os.environ | {"MANWIDTH": "120", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-ww"}
    shown = subprocess.run(
        ["man", "--warnings", "-l", page], check=True, capture_output=True, text=True, env=environment
    )
    assert shown.stderr == ""
    for action in parser()._actions:
        assert all(re.search(rf"(?m)^ +(-\w, )?{name}\b", shown.stdout) for name in action.option_strings)


def test_an_invalid_service_unit_would_be_found(tmp_path: Path) -> None:
    unit = tmp_path / "pgagent-py.service"
    unit.write_text("[Service]\nType=notified\nExecStart=/nowhere/pgagent-py\n")
    done = _verify(unit)
    assert "Failed to parse" in done.stderr
    assert done.returncode != 0


def _verify(unit: Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", str(unit)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_make_help_lists_every_word_in_its_group() -> None:
    """Without PGXS, as before `make setup` on a new machine."""
    command = ["make", "--no-print-directory", "help", "PG_CONFIG=/nonexistent"]
    listed = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout
    groups = {group.split()[0]: group.splitlines()[1:] for group in listed.split("\n\n")}
    words = {name: [line.split()[0] for line in lines] for name, lines in groups.items()}
    assert words.keys() == {"Use", "Test", "Release", "Write"}
    phony = re.search(r"\.PHONY: ((?:[^\\\n]|\\\n)*)\n", (TOP / "Makefile").read_text())
    assert phony
    built = {"all", "install", "installcheck", "clean"}
    assert {word for group in words.values() for word in group} == {*phony[1].split()} - {"\\"} | built
    assert {"test", "test-all", "test-long", "test-one", "lint"} <= set(words["Test"])


def test_license_is_postgresqls() -> None:
    text = (TOP / "LICENSE").read_text()
    assert text.startswith("PostgreSQL License")
    assert "pgagent_py developers" in text


def instructions() -> list[tuple[str, str]]:
    """Return what the Containerfile does: instruction and argument."""
    text = (TOP / "deploy/container/Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def test_the_container_file_takes_what_is_there() -> None:
    known = {
        "FROM",
        "ENV",
        "RUN",
        "COPY",
        "WORKDIR",
        "USER",
        "ENTRYPOINT",
        "CMD",
        "VOLUME",
        "STOPSIGNAL",
        "EXPOSE",
    }
    stages = [rest.split(" AS ")[1] for word, rest in instructions() if word == "FROM"]
    assert stages == ["build", "launcher", "db"]
    for word, rest in instructions():
        assert word in known
        if word == "RUN":
            subprocess.run(["sh", "-n", "-c", rest], check=True)
        if word == "COPY" and "--from=" not in rest:
            assert (TOP / rest.split()[0]).exists()
        if "--from=" in rest:
            assert re.findall(r"--from=(\w+)", rest) == ["build"]
    users = [rest for word, rest in instructions() if word == "USER"]
    assert users == ["pgagent_py", "postgres"]
    subprocess.run(["sh", "-n", TOP / "deploy/container/serve-db"], check=True)


def test_the_compose_file_builds_stages_and_starts_the_launcher_with_options_that_there_are() -> None:
    compose = YAML(typ="safe").load(TOP / "deploy/container/compose.yaml")
    assert [service["build"]["target"] for service in compose["services"].values()] == ["db", "launcher"]
    for service in compose["services"].values():
        context = (TOP / "deploy/container" / service["build"]["context"]).resolve()
        assert (context / service["build"]["dockerfile"]).exists()
    given = parser().parse_intermixed_args(compose["services"]["launcher"]["command"])
    assert given.metrics == ("0.0.0.0", 9187)
