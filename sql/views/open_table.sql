{% from "macros/foreign.j2" import our_tables %}
CREATE OR REPLACE VIEW pgagent_py.open_table AS
SELECT c.oid FROM {{ our_tables("c") }}
   AND (EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.privilege_type IN ('TRIGGER', 'REFERENCES') AND x.grantee <> c.relowner)
        OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = c.relowner AND r.rolsuper));

COMMENT ON VIEW pgagent_py.open_table IS
'The tables of pgAgent''s on which other roles than superusers may hang code.';
