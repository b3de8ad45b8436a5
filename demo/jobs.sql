-- Two jobs: one made by a function, one by the INSERTs that pgAdmin sends when its job dialog is saved.

SELECT pgagent_py.add_job('summary', cron => '0 6 * * mon-fri', description => 'Weekdays at six') AS job \gset
SELECT pgagent_py.add_step(:job, '1 fill', sql => $$
    CREATE TABLE IF NOT EXISTS summary (day date, jobs bigint);
    INSERT INTO summary SELECT current_date, count(*) FROM pgagent.pga_job
$$);
SELECT pgagent_py.add_step(:job, '2 report', batch => $$#!/bin/sh
echo "job $PGAGENT_JOB_NAME, step $PGAGENT_STEP_NAME, on $(uname -s)"
$$);

DO $$
DECLARE
    jid integer;
    scid integer;
BEGIN
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc, jobhostagent, jobenabled)
    VALUES (1, 'from pgAdmin', '', '', true)
    RETURNING jobid INTO jid;

    INSERT INTO pgagent.pga_jobstep
        (jstjobid, jstname, jstenabled, jstkind, jstconnstr, jstdbname, jstonerror, jstcode, jstdesc)
    VALUES
        (jid, 'analyze', true, 's', '', 'demo', 'f', 'VACUUM ANALYZE', ''),
        (jid, 'list', true, 'b', '', '', 'f', E'#!/bin/bash\necho {1..3}; echo "to stderr" >&2', '');

    -- At 15:56, 15:57, 15:58 and 15:59 of every day: five sets of flags, none set meaning any.
    INSERT INTO pgagent.pga_schedule
        (jscjobid, jscname, jscdesc, jscenabled, jscstart,
         jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths)
    VALUES
        (jid, 'afternoon', '', true, '2026-01-01 00:00:00+00',
         (SELECT array_agg(minute BETWEEN 56 AND 59 ORDER BY minute) FROM generate_series(0, 59) AS minute),
         (SELECT array_agg(hour = 15 ORDER BY hour) FROM generate_series(0, 23) AS hour),
         array_fill(false, ARRAY[7]), array_fill(false, ARRAY[32]), array_fill(false, ARRAY[12]))
    RETURNING jscid INTO scid;
END
$$;
