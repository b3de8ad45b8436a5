"""The web page."""

from __future__ import annotations

from pathlib import Path

import click

from ..cli import command
from ..errors import CommandError
from ..session import Session

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command("pgagentctl web -d 'host=db1 dbname=shop' --listen 127.0.0.1:8080")
@click.option(
    "--listen", metavar="ADDRESS:PORT", default="127.0.0.1:8080", show_default=True, help="Where to serve it."
)
@click.option("--prefix", metavar="PATH", default="", help="What its addresses begin with, such as /jobs.")
@click.option("--tls-cert", type=FILE, help="The certificate, with its chain: serve by TLS.")
@click.option("--tls-key", type=FILE, help="Its key.")
@click.option(
    "--trusted-proxy",
    multiple=True,
    metavar="ADDRESS",
    help="A proxy whose X-Forwarded headers count. Repeatable.",
)
@click.option(
    "--allow-cleartext",
    is_flag=True,
    help="Let the server ask for passwords in clear (LDAP, PAM, RADIUS), over a safe way.",
)
def web(
    session: Session,
    listen: str,
    prefix: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    trusted_proxy: tuple[str, ...],
    allow_cleartext: bool,
) -> None:
    """Serve a web page of the database's jobs and runs until Ctrl-C.

    People log in with a role of the database and its password, and see and do what that role may.
    """
    from ..web import serve
    from ..web.settings import Settings

    try:
        host, port = serve.address(listen)
        settings = Settings(
            conninfo=session.conninfo,
            prefix=serve.clean_prefix(prefix),
            allow_cleartext=allow_cleartext,
            secure=tls_cert is not None,
        )
        serve.check(settings, host, tls_cert, tls_key, trusted_proxy)
    except ValueError as error:
        raise CommandError(str(error)) from None
    click.echo(
        f"pgagentctl: the page is at {'https' if tls_cert else 'http'}://{listen}{settings.prefix}/", err=True
    )
    serve.serve(settings, host, port, tls_cert, tls_key, trusted_proxy)
