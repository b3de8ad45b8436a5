CREATE OR REPLACE FUNCTION pgagent_py._firing(
    jscid integer, s_ctid tid, s_xmin xid, o_ctid tid, o_xmin xid, default_zone text, varies boolean,
    last_run float8
) RETURNS float8
LANGUAGE plpython3u VOLATILE
AS {{ python_call("next_run.firing", "jscid", "(s_ctid, s_xmin, o_ctid, o_xmin, default_zone)", "varies", "last_run") }};

COMMENT ON FUNCTION pgagent_py._firing(integer, tid, xid, tid, xid, text, boolean, float8) IS
'Epoch seconds of a schedule''s next firing from now on, NULL when there is none. The other arguments name the rows that its rule is '
'made of; varies: it hangs on more than these, so it is read each time; last_run: of the job, given if the clock says that it has not been yet. The caller pins the search_path.';
