CREATE OR REPLACE FUNCTION pgagent_py._firing(
    jscid integer, s_ctid tid, s_xmin xid, s_cmin cid, o_ctid tid, o_xmin xid, o_cmin cid, default_zone text, varies boolean,
    last_run float8
) RETURNS float8
LANGUAGE plpython3u VOLATILE
AS {{ python_call("next_run.firing", "jscid", "(s_ctid, s_xmin, s_cmin, o_ctid, o_xmin, o_cmin, default_zone)", "varies", "last_run") }};

COMMENT ON FUNCTION pgagent_py._firing(integer, tid, xid, cid, tid, xid, cid, text, boolean, float8) IS
'Epoch seconds of a schedule''s next firing from now on, infinity when there is none. The other arguments name the rows that its rule is '
'made of; varies: it hangs on more than these, so it is read each time; last_run: of the job, given if the clock says that it has not been yet. The caller pins the search_path.';
