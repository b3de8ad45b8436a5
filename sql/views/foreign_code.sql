{% from "macros/foreign.j2" import harmless, our_tables %}
CREATE OR REPLACE VIEW pgagent_py.foreign_code AS
WITH weak AS MATERIALIZED (SELECT r.oid FROM pg_roles r WHERE NOT r.rolsuper),
tab AS MATERIALIZED (SELECT c.oid, c.oid::regclass AS name, c.relkind FROM {{ our_tables("c") }}),
trig AS MATERIALIZED (
    SELECT t.tgrelid, t.tgname, t.tgnargs, t.tgqual, t.tgfoid, p.proowner IN (TABLE weak) AS weak
      FROM tab JOIN pg_trigger t ON t.tgrelid = tab.oid JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D')
SELECT format('%s is no ordinary table', tab.name) AS what FROM tab WHERE tab.relkind <> 'r'
 UNION ALL
SELECT format('function %s belongs to role %s', p.oid::regprocedure, pg_get_userbyid(p.proowner))
  FROM pg_proc p WHERE p.pronamespace = to_regnamespace('pgagent') AND p.proowner IN (TABLE weak)
 UNION ALL
SELECT format('trigger %s on %s executes a function of role %s', quote_ident(t.tgname), t.tgrelid::regclass, pg_get_userbyid(p.proowner))
  FROM trig t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.weak
 UNION ALL
SELECT format('trigger %s on %s has a condition that may execute any code', quote_ident(t.tgname), t.tgrelid::regclass)
  FROM trig t WHERE NOT {{ harmless("t.tgqual") }}
 UNION ALL
SELECT format('trigger %s on %s has arguments, and others may make triggers there', quote_ident(t.tgname), t.tgrelid::regclass)
  FROM trig t WHERE t.tgnargs > 0 AND t.tgrelid IN (SELECT o.oid FROM pgagent_py.open_table o WHERE o.itself)
 UNION ALL
SELECT format('rule %s is on %s', quote_ident(w.rulename), tab.name) FROM tab JOIN pg_rewrite w ON w.ev_class = tab.oid
 UNION ALL
SELECT format('column %s of %s has a type that is not built in', quote_ident(a.attname), tab.name)
  FROM tab JOIN pg_attribute a ON a.attrelid = tab.oid WHERE a.atttypid >= 16384 AND NOT a.attisdropped
 UNION ALL
SELECT format('a default of %s may execute any code', tab.name)
  FROM tab JOIN pg_attrdef d ON d.adrelid = tab.oid WHERE NOT {{ harmless("d.adbin") }}
 UNION ALL
SELECT format('constraint %s of %s may execute any code', quote_ident(k.conname), tab.name)
  FROM tab JOIN pg_constraint k ON k.conrelid = tab.oid WHERE NOT {{ harmless("k.conbin") }}
 UNION ALL
SELECT format('index %s may execute any code', i.indexrelid::regclass)
  FROM tab JOIN pg_index i ON i.indrelid = tab.oid WHERE NOT ({{ harmless("i.indexprs") }} AND {{ harmless("i.indpred") }})
 UNION ALL
-- The planner evaluates what is constant in expressions.
SELECT format('statistics %s on %s may execute any code', quote_ident(s.stxname), tab.name)
  FROM tab JOIN pg_statistic_ext s ON s.stxrelid = tab.oid WHERE NOT {{ harmless("s.stxexprs") }}
 UNION ALL
SELECT format('%s inherits from %s', i.inhrelid::regclass, i.inhparent::regclass)
  FROM tab JOIN pg_inherits i ON tab.oid IN (i.inhparent, i.inhrelid)
 UNION ALL
-- What is hung on that table is executed when a row here is deleted.
SELECT format('%s of role %s refers to %s with a cascade', k.conrelid::regclass, pg_get_userbyid(c.relowner), tab.name)
  FROM tab JOIN pg_constraint k ON k.confrelid = tab.oid AND k.contype = 'f' JOIN pg_class c ON c.oid = k.conrelid
 WHERE NOT (k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r'))
   AND c.relnamespace NOT IN ('pgagent_py'::regnamespace) AND k.conrelid NOT IN (SELECT tab.oid FROM tab)
   AND (c.relowner IN (TABLE weak)
        OR EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.privilege_type = 'TRIGGER' AND x.grantee <> c.relowner)
        OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = k.conrelid AND NOT t.tgisinternal));

COMMENT ON VIEW pgagent_py.foreign_code IS
{% filter literal %}
Code of roles that are no superusers which would be executed, with the rights of the extension's owner, by what the
extension does to pgAgent's tables. While there is any, the extension does nothing.
{% endfilter %};
