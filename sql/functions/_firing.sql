CREATE OR REPLACE FUNCTION pgagent_py._firing(
    jscid integer, s_ctid tid, s_xmin xid, o_ctid tid, o_xmin xid, default_zone text, varies boolean
) RETURNS float8
LANGUAGE plpython3u VOLATILE
AS {{ python_call("next_run.firing", "jscid", "(s_ctid, s_xmin, o_ctid, o_xmin, default_zone)", "varies") }};

COMMENT ON FUNCTION pgagent_py._firing(integer, tid, xid, tid, xid, text, boolean) IS
'Epoch seconds of a schedule''s next firing from now on, NULL when there is none. The other arguments name the rows that its rule is '
'made of; varies: it hangs on more than these, so it is read each time. The caller pins the search_path.';
