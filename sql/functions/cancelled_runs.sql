CREATE OR REPLACE FUNCTION pgagent_py.cancelled_runs() RETURNS TABLE (jlgid integer, note text)
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("runs.cancel.cancelled_runs", first="ground.foreign.refuse_here") }};

COMMENT ON FUNCTION pgagent_py.cancelled_runs() IS
{% filter literal %}
Return the runs of this backend's agent that cancel_run() wants to end. A launcher asks after it has connected, and
whenever channel pgagent_py has the payload cancel.

- jlgid: the run.
- note: what its log is to say.
{% endfilter %};
