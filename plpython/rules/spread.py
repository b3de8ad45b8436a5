"""Spreading schedules: what a job and a schedule are called decides how late it fires, the same on every server."""

from __future__ import annotations

import hashlib


def key_of(job: str, schedule: str) -> int:
    """Return a number that the names of a job and a schedule decide."""
    text = f"{job}\0{schedule}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest(), "big")
