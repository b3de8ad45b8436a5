-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_message(
    job integer, kind text, target text, "when" text DEFAULT 'failure', text text DEFAULT NULL, subject text DEFAULT NULL
) RETURNS integer
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('add_message', jsonb_build_object(
           'job', add_message.job,
           'kind', add_message.kind,
           'target', add_message.target,
           'when', add_message."when",
           'text', add_message.text,
           'subject', add_message.subject))::integer
$sql$;

COMMENT ON FUNCTION pgagent_py.add_message(integer, text, text, text, text, text) IS
'Have the launcher send a message at the end of runs of a job, of all jobs when job is NULL. kind: email (target: addresses, '
'separated by commas) or webhook (target: http or https URL to POST to). when: failure (which includes aborted runs), success or '
'finish. text, subject: Jinja2 templates, default our own words, or the run as JSON for a webhook; an e-mail whose text comes out '
'empty is not sent. Returns the message id. Error 22023 names the bad argument.';
