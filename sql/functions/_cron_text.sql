{% set sets = python_constant("ground.vocabulary.SETS") | list %}
{% set types = ["text"] * (sets | length + 1) %}
CREATE OR REPLACE FUNCTION pgagent_py._cron_text({% for set in sets %}{{ set }} text, {% endfor %}options text) RETURNS text
LANGUAGE plpython3u IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.schedule_text.cron_text", *(sets + ["options"])) }};

COMMENT ON FUNCTION pgagent_py._cron_text({{ types | join(", ") }}) IS
'The cron expression of five sets as flags in text form, and a JSON object of the rules of days; NULL if it has none.';
