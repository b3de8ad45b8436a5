-- No foreign key: it would keep users from truncating the log. Upkeep deletes what is left over.
CREATE TABLE pgagent_py.step_rows (
    jslid integer PRIMARY KEY,
    slrcolumns text[] NOT NULL,
    slrrows jsonb NOT NULL,
    slrbytes integer NOT NULL
);

COMMENT ON TABLE pgagent_py.step_rows IS
'Rows of steps with keep_rows, by the step''s entry in the log, for the templates and attachments of messages.';
COMMENT ON COLUMN pgagent_py.step_rows.slrrows IS
'A list of rows, each a list of texts; null is NULL.';
COMMENT ON COLUMN pgagent_py.step_rows.slrbytes IS
'The length of slrrows as text.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.step_rows', '');
