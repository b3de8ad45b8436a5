"""Serves the page: where, with or without TLS, behind a proxy or not."""

import ipaddress
import signal
import ssl
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from .app import create_app
from .login import check_settings
from .settings import Settings

# Live pages never end by themselves: how long a stop waits for them
STOP_SECONDS = 2


def address(text: str) -> tuple[str, int]:
    """Return host and port of ADDRESS:PORT, as in 127.0.0.1:8080 or [::1]:8080. ValueError says what is wrong."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError(f"an address and a port belong here, as in 127.0.0.1:8080, not {text!r}")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clean_prefix(text: str) -> str:
    """Return a prefix with a slash in front and none behind; ValueError for one that no address can begin with."""
    prefix = "/" + text.strip("/") if text.strip("/") else ""
    if not all(
        part.replace("-", "").replace("_", "").isalnum() and part.isascii() for part in prefix.split("/")[1:]
    ):
        raise ValueError(f"letters, digits, - and _ belong into a prefix, as in /jobs, not {text!r}")
    return prefix


def check(
    settings: Settings, host: str, certificate: Path | None, key: Path | None, proxies: Sequence[str]
) -> None:
    """Raise ValueError for what would let passwords out, or is no certificate."""
    check_settings(settings)
    if (certificate is None) != (key is None):
        raise ValueError("--tls-cert and --tls-key belong together")
    if certificate and key:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"--tls-cert and --tls-key can't be used: {error}") from None
    elif not is_loopback(host) and not proxies:
        raise ValueError(
            f"{host} can be reached from other machines, and passwords would travel in clear: "
            "add --tls-cert and --tls-key, or name the TLS proxy in front by --trusted-proxy"
        )


def serve(
    settings: Settings,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    proxies: Sequence[str],
) -> None:
    """Serve until SIGINT or SIGTERM."""
    # uvicorn stops at the signal, then raises it again: by then there is nothing left to end.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=STOP_SECONDS,
    )
