CREATE TYPE pgagent_py.step_result AS (
    jlgid integer,
    jslid integer,
    jslstatus text,
    jslresult integer,
    jslduration interval,
    jsloutput text
);

COMMENT ON TYPE pgagent_py.step_result IS
{% filter literal %}
The result of a step that run_due() has handed out, as a launcher reports it.

- jlgid, jslid: the run, and the step's entry in its log, as handed out.
- jslstatus: s success, f failure (the step's on_error decides what that means), d aborted, r still running, with its
  output so far.
- jslresult: the exit code of a batch step; the rows affected by an SQL step, -1 after an error.
- jslduration: NULL means the time since jslstart.
- jsloutput: what the log shows.
{% endfilter %};
