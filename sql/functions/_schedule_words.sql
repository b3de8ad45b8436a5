{% set sets = python_constant("ground.vocabulary.SETS") | list %}
{% set types = ["text"] * (sets | length + 1) %}
CREATE OR REPLACE FUNCTION pgagent_py._schedule_words({% for set in sets %}{{ set }} text, {% endfor %}options text) RETURNS text
LANGUAGE plpython3u IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.schedule_text.words", *(sets + ["options"])) }};

COMMENT ON FUNCTION pgagent_py._schedule_words({{ types | join(", ") }}) IS
'What a schedule does in words: its sets as flags in text form, and a JSON object of its options.';
