CREATE TABLE pgagent_py.kept_right (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    object text NOT NULL,
    part text,
    grantee oid NOT NULL,
    privilege text NOT NULL,
    grantable boolean NOT NULL,
    granted boolean NOT NULL,
    due boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE pgagent_py.kept_right IS
{% filter literal %}
Rights on the extension's objects that users have granted or revoked, during ALTER EXTENSION UPDATE; else empty. The
update takes these rights back and makes its changes, and a trigger repeats them when its transaction commits. They
are repeated at the end because a GRANT in an extension's script counts as the extension's own (pg_init_privs), and
pg_dump leaves it out.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.kept_right.kind IS
'As in GRANT: FUNCTION, TABLE, SEQUENCE, SCHEMA or TYPE.';
COMMENT ON COLUMN pgagent_py.kept_right.object IS
'The object''s name with schema; of a function, with the types of its arguments.';
COMMENT ON COLUMN pgagent_py.kept_right.part IS
'The column that the right is for. NULL: the whole object.';
COMMENT ON COLUMN pgagent_py.kept_right.grantee IS
'The role''s id, 0 for PUBLIC.';
COMMENT ON COLUMN pgagent_py.kept_right.granted IS
'true: users have granted it. false: users have revoked what the extension had granted.';
COMMENT ON COLUMN pgagent_py.kept_right.due IS
'Set when the update has made its changes: then the trigger acts.';
