"""Hindrances: what the service that the launcher runs in takes from batch steps, as far as a process can see it."""

from __future__ import annotations

import os
import re
from pathlib import Path

PROCESS = Path("/proc/self")
READ_ONLY = ("/usr", "/etc")
HOMES = ("/home", "/root", "/run/user")


def find_hindrances() -> list[str]:
    """Return the names of systemd's settings whose effect is seen."""
    found = []
    status = _read("status")
    if re.search(r"(?m)^NoNewPrivs:\s*1$", status):
        found.append("NoNewPrivileges")
    mounts = [line.split() for line in _read("mountinfo").splitlines()]
    places = {fields[4]: fields for fields in mounts if len(fields) > 5}
    if any(_is_read_only(path) for path in READ_ONLY):
        found.append("ProtectSystem")
    if any(path in places and _hides_home(places[path]) for path in HOMES):
        found.append("ProtectHome")
    if "/tmp" in places and "/systemd-private-" in places["/tmp"][3]:
        found.append("PrivateTmp")
    return found


def _read(name: str) -> str:
    try:
        return (PROCESS / name).read_text()
    except OSError:
        return ""


def _is_read_only(path: str) -> bool:
    """Return whether nobody can write below *path*, though the whole system is not read-only."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY) and not os.statvfs("/var").f_flag & os.ST_RDONLY
    except OSError:
        return False


def _hides_home(fields: list[str]) -> bool:
    """Return whether a line of mountinfo is what systemd puts in the place of a home directory."""
    return "/systemd/inaccessible/" in fields[3] or ("ro" in fields[5].split(",") and fields[3] == "/")
