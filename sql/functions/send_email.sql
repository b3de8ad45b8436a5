CREATE OR REPLACE FUNCTION pgagent_py.send_email(
    "to" text,
    subject text DEFAULT '',
    text text DEFAULT NULL,
    html text DEFAULT NULL,
    cc text DEFAULT NULL,
    bcc text DEFAULT NULL,
    query text DEFAULT NULL,
    format text DEFAULT 'csv',
    filename text DEFAULT NULL,
    if_empty text DEFAULT 'skip',
    max_rows integer DEFAULT 10000
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $plpgsql$
-- Without a search_path of its own, since the query has the caller's. So all names are qualified.
DECLARE
    r pg_catalog.record;
    columns pg_catalog.text[];
    rows pg_catalog.text[] := '{}';
    line pg_catalog.text;
    read pg_catalog.int4 := 0;
    room pg_catalog.int8;
BEGIN
    IF (if_empty IN ('skip', 'send')) IS NOT TRUE THEN
        RAISE EXCEPTION 'if_empty "%" is unknown', coalesce(if_empty, 'NULL') USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Use skip or send.';
    END IF;
    IF (max_rows BETWEEN 1 AND 1000000) IS NOT TRUE THEN
        RAISE EXCEPTION 'max_rows must be 1 to 1000000: %', coalesce(max_rows::pg_catalog.text, 'NULL') USING
            ERRCODE = 'invalid_parameter_value', HINT = 'More rows are better fetched than mailed.';
    END IF;
    IF query IS NOT NULL THEN
        room := pgagent_py._ask('email_room', pg_catalog.jsonb_build_object(
            'to', "to", 'cc', cc, 'bcc', bcc, 'format', format, 'filename', filename))::pg_catalog.int8;
        FOR r IN EXECUTE query LOOP
            read := read OPERATOR(pg_catalog.+) 1;
            EXIT WHEN read OPERATOR(pg_catalog.>) max_rows;
            IF columns IS NULL THEN
                columns := ARRAY(SELECT pg_catalog.json_object_keys(pg_catalog.row_to_json(r)));
            END IF;
            SELECT pg_catalog.json_agg(e.value)::pg_catalog.text INTO line FROM pg_catalog.json_each_text(pg_catalog.row_to_json(r)) e;
            -- Nothing else in this statement: so the array grows in place.
            rows := pg_catalog.array_append(rows, line);
            -- It is refused below; no more of it is held in memory until then.
            room := room OPERATOR(pg_catalog.-) pg_catalog.octet_length(coalesce(line, ''));
            EXIT WHEN room OPERATOR(pg_catalog.<) 0;
        END LOOP;
        IF read OPERATOR(pg_catalog.=) 0 AND if_empty OPERATOR(pg_catalog.=) 'skip' THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN pgagent_py._ask('queue_email', pg_catalog.jsonb_build_object(
        'to', "to", 'subject', subject, 'text', text, 'html', html, 'cc', cc, 'bcc', bcc, 'columns', columns,
        'rows', pg_catalog.concat('[', pg_catalog.array_to_string(rows, ','), ']'), 'format', format, 'filename', filename,
        'remark', CASE WHEN read OPERATOR(pg_catalog.>) max_rows THEN pg_catalog.format('These are the first %s rows.', max_rows) END
        ))::pg_catalog.int8;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.send_email(text, text, text, text, text, text, text, text, text, text, integer) IS
{% filter literal %}
Send an e-mail when the transaction commits. Launchers send it, as they send messages. A rollback sends nothing.

- to, cc, bcc: e-mail addresses, separated by commas.
- subject, text, html: what it says, as it is: these are no templates.
- query: a statement whose rows it carries. It is executed at once, with the caller's rights and search_path.
- format: csv attaches the rows. html puts them into the HTML form, or attaches them if there is a filename. text puts
  them into the text.
- filename: that of the attachment. Default: report.csv.
- if_empty: what is done when the query returns no rows: skip or send.
- max_rows: of more rows the first ones are sent, and the text says so.

Returns the id of the mail in the queue (qmsid of unsent_message), NULL when it was skipped.

Errors: 22023 names a bad argument. 42501: the role is not in pgagent_py_email, or a domain is not allowed. 54000: the mail
is too large, or there were too many in an hour.
{% endfilter %};
