{% from "macros/foreign.j2" import our_tables %}
CREATE OR REPLACE VIEW pgagent_py.open_table AS
WITH weak AS MATERIALIZED (SELECT r.oid FROM pg_roles r WHERE NOT r.rolsuper),
tab AS MATERIALIZED (
    SELECT c.oid, c.relnamespace, c.relowner IN (TABLE weak)
           OR EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.privilege_type IN ('TRIGGER', 'REFERENCES') AND x.grantee <> c.relowner)
           OR EXISTS (SELECT FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) x
                       WHERE a.attrelid = c.oid AND x.privilege_type = 'REFERENCES') AS itself
      FROM {{ our_tables("c") }})
SELECT t.oid, t.itself FROM tab t
 WHERE t.itself
    OR EXISTS (SELECT FROM pg_namespace n
                WHERE n.oid = t.relnamespace
                  AND (n.nspowner IN (TABLE weak)
                       OR EXISTS (SELECT FROM aclexplode(n.nspacl) x WHERE x.privilege_type = 'CREATE' AND x.grantee <> n.nspowner)));

COMMENT ON VIEW pgagent_py.open_table IS
'The tables of pgAgent''s on which other roles than superusers may hang code, or (not itself) beside which they may put others.';
