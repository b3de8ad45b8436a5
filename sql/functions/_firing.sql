CREATE OR REPLACE FUNCTION pgagent_py._firing(
    jscid integer, s_ctid tid, s_xmin xid, s_cmin cid, options text, default_zone text, exceptions boolean
) RETURNS int8
LANGUAGE plpython3u VOLATILE
AS {{ python_call("rules.next_run.firing", "jscid", "(s_ctid, s_xmin, s_cmin, options, default_zone)", "exceptions") }};

COMMENT ON FUNCTION pgagent_py._firing(integer, tid, xid, cid, text, text, boolean) IS
{% filter literal %}
When a schedule fires next, from now on: microseconds since 1970, NULL when never. The caller pins the search_path. Each
argument costs, so the two that are rarely needed are _firing_after's.

- s_ctid, s_xmin, s_cmin, options, default_zone, exceptions: the columns of schedule_version.
{% endfilter %};
