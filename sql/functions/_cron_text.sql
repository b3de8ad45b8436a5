{% set sets = python_constant("ground.vocabulary.SETS") | list %}
{% set types = ["text"] * sets | length %}
CREATE OR REPLACE FUNCTION pgagent_py._cron_text({% for set in sets %}{{ ", " if not loop.first }}{{ set }} text{% endfor %}) RETURNS text
LANGUAGE plpython3u IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.schedule_text.cron_text", *sets) }};

COMMENT ON FUNCTION pgagent_py._cron_text({{ types | join(", ") }}) IS
'The cron expression of five sets, given as flags in text form; NULL if it has none.';
