-- Jobs of a small shop, and a made-up week of their runs. The launcher goes on with them.
SET client_min_messages = warning;
SELECT setseed(0.42);

SELECT pgagent_py.add_job('shop.orders', cron => '*/15 * * * *', sql => 'SELECT pg_sleep(1.5 + random())', description => 'Takes over new orders.'),
       pgagent_py.add_job('shop.stock', cron => '5 * * * *', sql => E'-- what is left of each article\nSELECT count(*) FROM generate_series(1, 100000)'),
       pgagent_py.add_job('shop.report', cron => '30 6 * * 1-5', timezone => 'Europe/Paris', batch => E'#!/bin/sh\nprintf "\\033[32mdone\\033[0m: report of %s\\n" "$(date +%F)"'),
       pgagent_py.add_job('backup', cron => '0 2 * * *', batch => E'#!/bin/sh\nfor part in 1 2 3 4 5 6; do echo "part $part"; sleep 4; done'),
       pgagent_py.add_job('vacuum', cron => '0 3 * * 0', sql => 'VACUUM ANALYZE'),
       pgagent_py.add_job('mail.queue', cron => '*/5 * * * *', sql => 'SELECT 1/(random() > 0.3)::int', description => 'Fails now and then.'),
       pgagent_py.add_job('import.prices', cron => '20 */6 * * *', sql => 'SELECT * FROM prices_of_a_table_that_is_gone'),
       pgagent_py.add_job('clean up', cron => '45 4 L * *', sql => 'SELECT pg_sleep(0.2)'),
       pgagent_py.add_job('after the report', sql => 'SELECT ''sent'''),
       pgagent_py.add_job('after the orders', sql => 'SELECT ''packed''') \g /dev/null
SELECT pgagent_py.add_job('pulse', sql => 'SELECT pg_sleep(2)'),
       pgagent_py.add_job('long check', batch => E'#!/bin/sh\nfor n in $(seq 1 45); do echo "checked $n of 45"; sleep 1; done') \g /dev/null
SELECT pgagent_py.add_schedule(pgagent_py.job_id('pulse'), 'often'), pgagent_py.add_schedule(pgagent_py.job_id('long check'), 'often') \g /dev/null
SELECT pgagent_py.alter_schedule(jscid, every => CASE WHEN jobname = 'pulse' THEN '10 s' ELSE '1 min' END::interval)
  FROM pgagent_py.visible_schedule NATURAL JOIN pgagent_py.visible_job WHERE jobname IN ('pulse', 'long check') \g /dev/null
SELECT pgagent_py.add_step(pgagent_py.job_id('shop.orders'), 'read', sql => 'SELECT 42') \g /dev/null
SELECT pgagent_py.add_dependency(pgagent_py.job_id('after the report'), pgagent_py.job_id('shop.report')),
       pgagent_py.add_dependency(pgagent_py.job_id('after the orders'), pgagent_py.job_id('shop.orders')),
       pgagent_py.add_dependency(pgagent_py.job_id('clean up'), pgagent_py.job_id('after the orders'), "when" => 'finish') \g /dev/null

-- When each job ran in the last week, how long it usually takes, and how often it fails.
CREATE TEMP TABLE made_up AS
SELECT j.jobid, j.jobname, at + random() * interval '2 s' AS start,
       w.seconds * (0.7 + 0.6 * random() + CASE WHEN random() < 0.02 THEN 4 ELSE 0 END) * interval '1 s' AS duration,
       CASE WHEN random() < w.failing THEN 'f' WHEN random() < 0.005 THEN 'd' ELSE 's' END AS status
  FROM (VALUES ('shop.orders', interval '15 min', 40, 0.01), ('shop.stock', '1 hour', 200, 0.02), ('shop.report', '1 day', 900, 0.1),
               ('backup', '1 day', 5400, 0.1), ('mail.queue', '5 min', 8, 0.15), ('import.prices', '6 hours', 120, 0.4),
               ('long check', '3 hours', 2400, 0.05), ('after the orders', '15 min', 5, 0)) w (name, step, seconds, failing)
  JOIN pgagent.pga_job j ON j.jobname = w.name
 CROSS JOIN LATERAL generate_series(date_trunc('day', now()) - interval '7 days' + CASE w.name WHEN 'backup' THEN interval '2 h' WHEN 'shop.report' THEN interval '5.5 h' ELSE interval '0' END,
                                    now() - interval '1 min' * 2 - w.seconds * interval '1 s', w.step) at;

WITH runs AS (
    INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT jobid, status, start, duration FROM made_up ORDER BY start RETURNING *)
INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslresult, jslstart, jslduration, jsloutput)
SELECT r.jlgid, s.jstid, r.jlgstatus, CASE WHEN r.jlgstatus = 's' THEN 1 ELSE -1 END, r.jlgstart + (s.n - 1) * r.jlgduration / s.steps, r.jlgduration / s.steps,
       CASE r.jlgstatus WHEN 'f' THEN 'ERROR:  division by zero' WHEN 's' THEN 'SELECT 1' ELSE '' END
  FROM runs r
  JOIN (SELECT jstid, jstjobid, row_number() OVER w AS n, count(*) OVER (PARTITION BY jstjobid) AS steps
          FROM pgagent.pga_jobstep WINDOW w AS (PARTITION BY jstjobid ORDER BY jstname, jstid)) s ON s.jstjobid = r.jlgjobid;
ANALYZE pgagent.pga_joblog, pgagent.pga_jobsteplog;
