"""The command line: global options, the list of commands, and how each call ends."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import psycopg

from . import errors
from .hide import hide_secrets
from .output import coloured
from .session import Session

# Command -> the module in commands/ that has it, as a function of the same name (with _ where it is a word of Python's).
# A module is imported when its command is called.
COMMANDS = {
    "status": "status",
    "jobs": "jobs",
    "job": "job",
    "runs": "runs",
    "why": "why",
    "log": "runs",
    "run": "run",
    "cancel": "act",
    "enable": "act",
    "disable": "act",
    "pause": "act",
    "resume": "act",
    "skip": "skip",
    "unskip": "skip",
    "backfill": "backfill",
    "upcoming": "ahead",
    "timeline": "timeline",
    "watch": "watch",
    "stats": "stats",
    "add": "add",
    "edit": "files",
    "export": "files",
    "apply": "files",
    "validate": "files",
    "import": "importing",
    "doctor": "doctor",
    "alert": "sharing",
    "allow": "sharing",
    "drain": "act",
    "undrain": "act",
    "web": "web",
}

CONNECTION = click.Option(
    ["-d", "--conninfo"], metavar="CONNINFO", help="Where to connect: key words, a URI, or a database's name."
)
JSON = click.Option(["--json"], is_flag=True, default=None, help="Write JSON.")


class Command(click.Command):
    """A command. -d and --json may stand after its name, too."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [CONNECTION, JSON]
        self.epilog = f"Example:  {example}"

    def invoke(self, ctx: click.Context) -> Any:
        """Execute it with the session as its first argument."""
        session = ctx.ensure_object(Session)
        conninfo, json = ctx.params.pop("conninfo"), ctx.params.pop("json")
        session.conninfo = conninfo or session.conninfo
        session.json = json or session.json
        ctx.call_on_close(session.close)
        try:
            return super().invoke(ctx)
        except psycopg.Error as error:
            connection = session.__dict__.get("connection")
            raise errors.from_server(error, self.options(), connection) from error

    def options(self) -> dict[str, str]:
        """Return how each option is written, by the name of its argument in SQL."""
        return {
            param.name.rstrip("_"): param.opts[-1]
            for param in self.params
            if isinstance(param, click.Option) and param.name
        }


def command(example: str, **kwargs: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command: it gets the session, then its own parameters, and returns its exit status or None for 0."""

    def decorate(function: Callable[..., Any]) -> Command:
        made: Command = click.command(cls=Command, example=example, **kwargs)(click.pass_obj(function))
        return made

    return decorate


class Commands(click.Group):
    """All commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return their names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command, if there is one of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".commands.{COMMANDS[cmd_name]}", __package__)
        found: click.Command = getattr(module, cmd_name if hasattr(module, cmd_name) else f"{cmd_name}_")
        return found


@click.command(
    cls=Commands, params=[CONNECTION, JSON], context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(None, "-V", "--version", package_name="pgagent_py", prog_name="pgagentctl")
@click.pass_context
def pgagentctl(ctx: click.Context, conninfo: str | None, json: bool | None) -> None:
    """See and change the jobs of pgAgent by their names.

    It connects as psql does: by PGHOST, PGDATABASE, PGUSER, PGSERVICE and the like, or by -d. It sees and may do what
    the role may that it connects as.

    Exit status: 0 done; 1 done, but bad, for example a run has failed; 2 wrong use, or no such job; 3 no connection,
    or no right; 130 interrupted.
    """
    ctx.obj = Session(conninfo or "", bool(json))
    ctx.color = None if coloured() else False


YES = "Where nobody can, --yes answers the question."


def run(arguments: Sequence[str]) -> int:
    """Execute a command line; return the exit status."""
    hide_secrets()
    try:
        if "_PGAGENTCTL_COMPLETE" in os.environ:
            pgagentctl.main(list(arguments), prog_name="pgagentctl")
        # Not by main(): to it a pipe that closes is an error.
        with pgagentctl.make_context("pgagentctl", list(arguments)) as context:
            status = pgagentctl.invoke(context)
        sys.stdout.flush()
        return int(status or 0)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        return _tell_wrong_use(error)
    except errors.FileError as error:
        click.echo(error.message, err=True)
        return _tell("", error.hint, error.status)
    except errors.CommandError as error:
        return _tell(error.message, error.hint, error.status)
    except click.Abort:
        return errors.INTERRUPTED if sys.stdin.isatty() else _tell("nobody answers", YES, errors.INTERRUPTED)
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    except BrokenPipeError:
        return errors.DONE
    except (OSError, UnicodeEncodeError) as error:
        return _tell_outside(error)
    finally:
        _forget_closed_pipe()


def _tell(message: str, hint: str = "", status: int = errors.WRONG_USE) -> int:
    """Write an error and return its status."""
    if message:
        click.echo(f"pgagentctl: {message}", err=True)
    if hint:
        click.echo(f"HINT: {hint}", err=True)
    return status


def _tell_wrong_use(error: click.ClickException) -> int:
    """Write how a command was called wrongly. Without any command, click shows the help instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return errors.WRONG_USE
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "pgagentctl"
    return _tell(error.format_message().removesuffix("."), f"{path} --help shows how it is used.")


def _tell_outside(error: OSError | UnicodeEncodeError) -> int:
    """Write what the machine refuses: a file, a full disk, a text that is none."""
    if isinstance(error, UnicodeEncodeError):
        hint = "Set LANG to a UTF-8 locale, or convert it with iconv."
        return _tell("what was given is no UTF-8 text", hint)
    return _tell(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))


def _forget_closed_pipe() -> None:
    """Python would end with another exit status if its output can't be written any more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
