CREATE OR REPLACE VIEW pgagent_py.subscribed AS
SELECT s.subname AS subscription
  FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
 WHERE r.srrelid = 'pgagent.pga_job'::regclass
   AND NOT EXISTS (SELECT FROM pgagent_py.setting t WHERE t.name = 'serve_subscribed');

COMMENT ON VIEW pgagent_py.subscribed IS
'The subscriptions that keep the jobs of this database from starting: pga_job is their target, and set_serve_subscribed() '
'has not allowed it.';
