CREATE TYPE pgagent_py.step_run AS (
    jobid integer,
    jlgid integer,
    jstid integer,
    jslid integer,
    jobname text,
    jstname text,
    jstkind text,
    jstcode text,
    jstdbname text,
    jstconnstr text,
    jstatomic boolean,
    jsttimeout interval,
    jobtimeleft interval,
    jobrunas text,
    jobparameters jsonb,
    jslstatus text,
    jslresult integer,
    jsloutput text,
    jstonerror text,
    handed timestamptz,
    jobroleid oid,
    claimed timestamptz,
    try integer,
    due text,
    previous_due text,
    keep_rows integer,
    engine text,
    engine_options jsonb,
    engine_job text,
    separately boolean,
    ahead boolean
);

COMMENT ON TYPE pgagent_py.step_run IS
{% filter literal %}
A step of a run, as run_due() returns it. The columns have pgAgent's names.

- jlgid, jslid: the run, and the step's entry in its log.
- jstkind: s SQL, b batch.
- jsttimeout, jobtimeleft: how long the step may take, and how long the run may still take. NULL: no limit.
- jobrunas: the role that an SQL step logs in as. NULL: the job has no owner.
- jslstatus: r means that the step is to be executed now. With capacity 0 it has been executed, and this is how it has
  ended.
- jslresult, jsloutput: of a step that has been executed.
- handed: when the step was handed out. With jslid it names this try of the step for ever, also after a failover.
- jobroleid: the id of jobrunas. A launcher that has logged in compares it: the name may have become another role's.
- claimed, try: when the job was claimed for the run, and which try of the step this is, from 1. With jlgid and jstid they
  tell that a step is handed out again, because a failover has lost that it was.
- due, previous_due: the time that the run is for, and that of the last success before it, as steps see them: ISO 8601,
  UTC.
- keep_rows: how many rows of an SQL step's result the log keeps. NULL: none.
- engine, engine_options: the engine that executes the batch step, and its options. NULL: the launcher itself.
- engine_job: what the engine calls the step, if it has it already.
- separately: whether the statements of the SQL step are executed one by one.
- ahead: whether it is to wait for a worker: it is beyond the capacity that run_due() was called with.
{% endfilter %};
