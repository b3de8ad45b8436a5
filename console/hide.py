"""A secret on the command line is taken out of the list of processes."""

from __future__ import annotations

import re
from pathlib import Path

# As key word and value, and in a URI. The length stays, so that all else stays in its place.
PASSWORD = re.compile(
    rb"(?i)(password\s*=\s*)('(?:[^'\\\0]|\\.)*'|[^\s&'\0]+)|(://[^:/?#@\s\0]*:)([^@\s\0]+)(?=@)"
)
# Where a message goes: the address of a webhook or chat is often a secret.
TARGET = re.compile(rb"(--(?:webhook|chat)[=\0])([^\0]+)")


def hide_secrets() -> None:
    """Write x over the secrets among this process's arguments, as the system shows them to everyone."""
    arguments = Path("/proc/self/cmdline")
    try:
        shown = arguments.read_bytes()
        hidden = masked_arguments(shown)
        if hidden == shown:
            return
        stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(int(stat[45]))  # arg_start, field 48: the first two stand before the bracket
            memory.write(hidden)
    except OSError:
        return  # no /proc, or closed: what the user typed stays


def hidden_target(target: str) -> str:
    """Return where a message goes without what may be a secret: of a webhook the host is left, of other services their kind."""
    found = re.match(r"(?i)(https?)://(?:[^/?#]*@)?([^/?#@]+)", target)
    if found:
        return f"{found[1]}://{found[2]}/xxx"
    kind, is_url, _ = target.partition("://")
    return f"{kind}://xxx" if is_url else target


def masked_arguments(arguments: bytes) -> bytes:
    """Return a process's arguments with x in place of each password, and of where messages go."""
    return TARGET.sub(lambda found: found[1] + b"x" * len(found[2]), masked(arguments))


def masked(arguments: bytes) -> bytes:
    """Return the arguments with x in place of each password."""

    def mask(found: re.Match[bytes]) -> bytes:
        kept, secret = (found[1], found[2]) if found[1] else (found[3], found[4])
        return kept + b"x" * len(secret)

    return PASSWORD.sub(mask, arguments)
