"""Words and conditions that Python and SQL share. The templates in sql/ take them from here by python_constant().

So this module imports nothing.
"""

# pgAgent's letters: the status of a run or a step.
RUNNING, SUCCESS, FAILURE, ABORTED = "r", "s", "f", "d"
# One letter, two meanings: a run that had no steps; a step that has failed, which does not count.
NO_STEPS = IGNORED = "i"
RUN_STATUSES = {
    RUNNING: "running",
    SUCCESS: "success",
    FAILURE: "failure",
    NO_STEPS: "no steps",
    ABORTED: "aborted",
}
STEP_STATUSES = {**RUN_STATUSES, IGNORED: "ignored"}
ON_ERROR = {"f": "fail", "s": "success", "i": "ignore"}
STEP_KINDS = {"s": "sql", "b": "batch"}
# What sets a run off.
TRIGGERS = {"s": "schedule", "n": "run_now", "d": "dependency", "b": "start", "f": "backfill"}

# A time as steps see it: ISO 8601, UTC.
UTC = (
    "to_char({0} AT TIME ZONE 'UTC', CASE WHEN date_trunc('second', {0}) = {0}"
    """ THEN 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"' ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"' END)"""
)

# When a dependency is met and a message is sent: at which statuses that a run ends with.
ENDS = {"success": "s", "failure": "fd", "finish": "sfid"}

# What else a message may tell: the first success after failures; of jobs with late_after and overrun_after, before they end.
ALERTS = ("recovered", "late", "overrun")

# What each of a schedule's five sets may hold: first and last number, which is how pgAgent's arrays are laid out.
SETS = {"minutes": (0, 59), "hours": (0, 23), "weekdays": (0, 6), "monthdays": (1, 32), "months": (1, 12)}

# What else says on which days a schedule fires. Negative numbers count from the end of the month.
DAY_NUMBERS = {"monthdays": (-31, 32), "nth": (-5, 5), "workdays": (-23, 23)}
ROLLS = ("skip", "forward", "backward", "nearest", "in_month")

# Conditions on a row j of pga_job: it could start, at its time; that has come; that has not come.
IDLE = "j.jobenabled AND j.jobagentid IS NULL"
DUE = f"{IDLE} AND j.jobnextrun <= now()"
SLEEPING = f"{IDLE} AND (j.jobnextrun <= now()) IS NOT TRUE"

# On a row p of pause: it has begun, and is not over; it is not over.
PAUSED = "coalesce(p.paused_from, '-infinity') <= now() AND coalesce(p.paused_until, 'infinity') > now()"
NOT_OVER = "coalesce(p.paused_until, 'infinity') > now()"

# On a row a of agent: it is of this backend. A pid may be that of an earlier one, whose agent is gone or comes back.
THIS_BACKEND = "a.jagpid = pg_backend_pid() AND a.backend_start = pgagent_py._backend_start()"

# The memberships that count: what a role could SET ROLE to. From PostgreSQL 16 on, a membership may be without that right.
MEMBER = "CASE WHEN current_setting('server_version_num')::int4 < 160000 THEN 'MEMBER' ELSE 'SET' END"

# Their members see all jobs, runs and outputs. Those of the second also run, cancel, pause, enable and disable them.
MONITOR, OPERATOR = "pgagent_py_monitor", "pgagent_py_operator"
# Its members send e-mail by send_email().
SENDERS = "pgagent_py_email"

# A role that may change all of these tables may do all that pgAdmin can: it edits every job.
EDITED = ("pga_job", "pga_jobstep", "pga_schedule", "pga_exception")
CHANGES = ("INSERT", "UPDATE", "DELETE")

# Characters of a name of a job or step that logs, messages and launchers are told. The functions of the API refuse longer ones,
# but in pgAgent's tables a name has no limit.
NAME_LENGTH = 1000

# In a SQL_ASCII database text need not be UTF-8, and Python can't read what is not: what users write into pgAgent's tables and
# its log is read like this. Code and places are not, since they could not be executed: their jobs are set aside.
PRINTABLE = "CASE WHEN getdatabaseencoding() = 'SQL_ASCII' THEN pgagent_py._printable({0}) ELSE {0} END"
PRINTABLE_JSON = PRINTABLE.replace("_printable", "_printable_json")

# What a role may have, unless set_bound() says something else: numbers of things of all its jobs, bytes of a text, mails
# that it sends in an hour, and their bytes.
BOUNDS = {
    "jobs": 10_000,
    "steps": 10_000,
    "schedules": 1_000,
    "schedules_of_a_job": 100,
    "exceptions": 10_000,
    "dependencies": 1_000,
    "messages": 1_000,
    "code": 1_000_000,
    "parameters": 1_000_000,
    "names": 1_000,
    "emails": 100,
    "email_bytes": 5_000_000,
}

# What an agent knows that takes steps beyond its workers, for owners with nothing running there (start_agent).
OWN_PLACES = "own places"
# What an agent knows that takes news, and the notice that they come with
KNOWS_NEWS, NEWS = "news", "pgagent_py: news"

# A line of a comment that sets an option, `@NAME VALUE`, for PostgreSQL's regular expressions and for Python's.
AT_LINE = r"(?:^|[\r\n])[ \t]*@[A-Za-z_]"
# Up to the value of a line whose value is for roles that may edit the job, and the value.
SECRET_LINE = r"((?:^|[\r\n])[ \t]*@(?:parameters|email|webhook|chat)[ \t])[^\r\n]*"

# Whether pgAgent's daemon starts in this session, and closes the runs of agents that are gone: only then it has this table.
DAEMON_STARTS = "(to_regclass('pg_temp.pga_tmp_zombies') IS NOT NULL)"

# Where batch steps are executed: in the launcher itself, or on an engine, with the options that are allowed by default.
LOCAL_ENGINE = "local"
ENGINES = {
    "slurm": (
        "partition",
        "account",
        "qos",
        "time",
        "mem",
        "mem-per-cpu",
        "cpus-per-task",
        "ntasks",
        "nodes",
        "gres",
        "gpus",
        "constraint",
        "nodelist",
        "exclude",
        "exclusive",
        "reservation",
        "nice",
    ),
    "ssh": ("host", "user", "port"),
}
NEVER_ALLOWED = {
    "slurm": (
        "array",
        "requeue",
        "output",
        "error",
        "job-name",
        "wait",
        "uid",
        "wrap",
        "export",
        "chdir",
        "gid",
        "input",
        "no-requeue",
        "parsable",
        "test-only",
    ),
}

# Of an INSERT into job_due d: jobs have succeeded for these times. Who books has the job locked, so this waits for nobody.
NOTE_SUCCESS = """
ON CONFLICT (jobid) DO UPDATE SET jobdue = greatest(d.jobdue, excluded.jobdue),
   jobduebefore = CASE WHEN excluded.jobdue > d.jobdue THEN d.jobdue
                       WHEN excluded.jobdue < d.jobdue THEN greatest(d.jobduebefore, excluded.jobdue)
                       ELSE d.jobduebefore END"""
