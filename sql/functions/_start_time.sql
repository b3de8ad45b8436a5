CREATE OR REPLACE FUNCTION pgagent_py._start_time(job_windows text, class_windows text, at float8, fresh boolean) RETURNS float8
LANGUAGE plpython3u STABLE
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.read_windows.start_time", "job_windows", "class_windows", "at", "fresh") }};

COMMENT ON FUNCTION pgagent_py._start_time(text, text, float8, boolean) IS
{% filter literal %}
When a job with these windows may start first, at a time or later: epoch seconds, infinity for never. fresh: read the windows;
without it they are as this session has read them last.
{% endfilter %};
