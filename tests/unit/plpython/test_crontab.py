"""Crontabs are taken apart as cron does it."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest

from plpython.api.crontab import parse_crontab, split_input
from plpython.ground.errors import PgAgentError

CRONTAB = r"""
# m h  dom mon dow   command

SHELL=/bin/bash
PATH = "/usr/local/bin:/usr/bin:/bin"
MAILTO=""
CRON_TZ='Europe/Paris'
# Every night:
#   the backup
5 0 * * *       $HOME/bin/daily.job >> $HOME/tmp/out 2>&1
MAILTO=paul@example.org

15 14 1 * *     $HOME/bin/monthly
	0 22 * * 1-5  mail -s "It's 10pm" joe%Joe,%%Where are your kids? 100\% sure%
@reboot date +\%F
"""


def test_a_crontab_as_its_manual_has_it() -> None:
    daily, monthly, mail, reboot = parse_crontab(CRONTAB)
    assert (daily.number, daily.cron, daily.command) == (
        10,
        "5 0 * * *",
        "$HOME/bin/daily.job >> $HOME/tmp/out 2>&1",
    )
    assert (daily.shell, daily.timezone, daily.mailto) == ("/bin/bash", "Europe/Paris", "")
    assert daily.comment == "Every night: the backup"
    assert dict(daily.environment) == {"SHELL": "/bin/bash", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    assert (monthly.mailto, monthly.comment, monthly.stdin) == ("paul@example.org", "", None)
    assert mail.cron.split() == ["0", "22", "*", "*", "1-5"]
    assert mail.command == 'mail -s "It\'s 10pm" joe'
    assert mail.stdin == "Joe,\n\nWhere are your kids? 100% sure\n"
    assert (reboot.cron, reboot.command) == ("@reboot", "date +%F")


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("true", ("true", None)),
        ("cat%", ("cat", "")),
        ("cat%a%b", ("cat", "a\nb\n")),
        ("cat%a%", ("cat", "a\n")),
        ("cat%%", ("cat", "\n")),
        (r"echo \\%a", ("echo \\", "a\n")),
        (r"echo a\\b\c", ("echo a\\b\\c".replace("\\\\", "\\"), None)),
        (r"cat%a\\%b\\c", ("cat", "a\\%b\\\\c\n")),
        (r"date +\%H\%M", ("date +%H%M", None)),
        (r"echo \%%x\%", ("echo %", "x%\n")),
    ],
)
def test_percent_signs_end_the_command_and_break_its_input(
    command: str, parts: tuple[str, str | None]
) -> None:
    assert split_input(command) == parts


def test_scripts_do_what_cron_would() -> None:
    text = 'A=it\'s "x"\nSHELL=/bin/bash\n* * * * * pwd; echo "$A" ${BASH_VERSION:+bash}; cat%one%END_OF_INPUT%$A `two`'
    (entry,) = parse_crontab(text)
    environment = {
        "HOME": "/nowhere",
        "PATH": "/usr/bin:/bin:/launcher",
        "LOGNAME": "nobody",
        "SHELL": "/bin/false",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", entry.script()], env=environment, capture_output=True, text=True, check=True
    )
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert done.stdout == f'{home}\nit\'s "x" bash\none\nEND_OF_INPUT\n$A `two`\n'


@pytest.mark.parametrize("line", ["* * * *", "* * * * *", "hello", "@daily", "a b=c d"])
def test_what_is_no_crontab_is_refused_by_line(line: str) -> None:
    with pytest.raises(PgAgentError, match="line 3"):
        parse_crontab(f"# first\n\n{line}\n")


def test_a_command_finds_what_cron_would_give_it() -> None:
    (entry,) = parse_crontab("@daily echo $PATH $SHELL $LOGNAME")
    environment = {"PATH": "/usr/bin:/bin:/launcher", "LOGNAME": "nobody", "SHELL": "/bin/false"}
    done = subprocess.run(
        ["/bin/sh", "-c", entry.script()], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"/usr/bin:/bin /bin/sh {pwd.getpwuid(os.getuid()).pw_name}\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0 * * * * true", "six fields"),
        ("0 0 * * * */2 true", "six fields"),
        ("0 30 9 * * 1-5 true", "six fields"),
        ("0 30 9 ? * MON-FRI true", "six fields"),
        ("0 0 12 * * ? 2030 true", "six fields"),
        ("17 * * * * root cd / && run-parts --report /etc/cron.hourly", "column for the user"),
        ("17 * * * * smmsp test -x /etc/init.d/sendmail", "column for the user"),
        ("caf\u00e9=1", "can't be the name of a variable"),
        ("UID=5", "can't be the name of a variable"),
    ],
)
def test_what_would_mislead_is_refused(line: str, words: str) -> None:
    with pytest.raises(PgAgentError, match=words):
        parse_crontab(line)


def test_long_commands_get_short_names() -> None:
    (entry,) = parse_crontab("@daily " + "x " * 100)
    assert len(entry.name) == 60
    assert entry.name.endswith("...")
