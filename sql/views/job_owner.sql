CREATE OR REPLACE VIEW pgagent_py.job_owner AS
SELECT o.jobid, o.jobowner, CASE WHEN k.known OR pg_get_userbyid(o.jobownerid) = o.jobowner THEN o.jobownerid END AS jobownerid,
       o.jobrunas, CASE WHEN k.known OR pg_get_userbyid(o.jobrunasid) = o.jobrunas THEN o.jobrunasid END AS jobrunasid
  FROM pgagent_py.job_option o
 CROSS JOIN LATERAL (SELECT o.jobinstallation = (SELECT i.id FROM pgagent_py.installation i WHERE i.one) AS known) k
 WHERE o.jobowner IS NOT NULL;

COMMENT ON VIEW pgagent_py.job_owner IS
{% filter literal %}
The roles of the jobs that have an owner, by the ids that count. An id that was found here counts whatever the role is
called by now. One that a restore has brought from another server, with the triggers disabled, counts only if it is the
id of the role of that name.
{% endfilter %};
