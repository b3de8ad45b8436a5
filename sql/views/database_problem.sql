CREATE OR REPLACE VIEW pgagent_py.database_problem AS
SELECT format('no job starts: the jobs come by subscription %s', s.subscription) AS error FROM pgagent_py.subscribed s
 UNION ALL
SELECT format('triggers of %s are disabled, so it is not kept in order: %s', t.tgrelid::regclass,
              string_agg(DISTINCT coalesce(c.conname, t.tgname)::text, ', '))
  FROM pg_trigger t
  JOIN pg_class r ON r.oid = t.tgrelid
  LEFT JOIN pg_constraint c ON c.oid = t.tgconstraint
 WHERE r.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace) AND t.tgenabled IN ('D', 'R')
 GROUP BY t.tgrelid;

COMMENT ON VIEW pgagent_py.database_problem IS
'What is wrong with this database as a whole, for the view problems.';
