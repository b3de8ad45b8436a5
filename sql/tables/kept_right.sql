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
'Rights on the extension''s objects that users have granted or revoked, during ALTER EXTENSION UPDATE. The update takes them back, makes '
'its changes, and a trigger repeats them when its transaction commits. Else empty. Why at the end: a GRANT that an extension''s script '
'executes counts as the extension''s own (pg_init_privs), and pg_dump leaves it out.';
COMMENT ON COLUMN pgagent_py.kept_right.kind IS 'As in GRANT: FUNCTION, TABLE, SEQUENCE, SCHEMA or TYPE.';
COMMENT ON COLUMN pgagent_py.kept_right.object IS 'Its name with schema, of a function with argument types.';
COMMENT ON COLUMN pgagent_py.kept_right.part IS 'Column that the right is for. NULL: the whole object.';
COMMENT ON COLUMN pgagent_py.kept_right.grantee IS 'Id of the role, 0 for PUBLIC.';
COMMENT ON COLUMN pgagent_py.kept_right.granted IS 'true: users have granted it; false: the extension had, users have revoked it.';
COMMENT ON COLUMN pgagent_py.kept_right.due IS 'Set when the update has made its changes: the trigger acts then.';
