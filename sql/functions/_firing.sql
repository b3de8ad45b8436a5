CREATE OR REPLACE FUNCTION pgagent_py._firing(
    jscid integer, s_ctid tid, s_xmin xid, s_cmin cid, options text, default_zone text, exceptions boolean, last_run float8
) RETURNS float8
LANGUAGE plpython3u VOLATILE
AS {{ python_call("rules.next_run.firing", "jscid", "(s_ctid, s_xmin, s_cmin, options, default_zone)", "exceptions", "last_run") }};

COMMENT ON FUNCTION pgagent_py._firing(integer, tid, xid, cid, text, text, boolean, float8) IS
'Epoch seconds of a schedule''s next firing from now on, infinity when there is none. The other arguments are what schedule_version '
'says of it; last_run: of the job, given if the clock says that it has not been yet. The caller pins the search_path.';
