CREATE OR REPLACE FUNCTION pgagent_py._firing_after(
    jscid integer, s_ctid tid, s_xmin xid, s_cmin cid, options text, default_zone text, exceptions boolean, last_run float8, after float8
) RETURNS int8
LANGUAGE plpython3u VOLATILE
AS {{ python_call("rules.next_run.firing", "jscid", "(s_ctid, s_xmin, s_cmin, options, default_zone)", "exceptions", "last_run", "after") }};

COMMENT ON FUNCTION pgagent_py._firing_after(integer, tid, xid, cid, text, text, boolean, float8, float8) IS
{% filter literal %}
The same as _firing() from another time on.

- last_run: when the job has run last, if the clock says that this is still to come.
- after: look from then on instead of from now on, if that is given.
{% endfilter %};
