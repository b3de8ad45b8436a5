{% from "status.j2" import run_status, step_status %}
CREATE OR REPLACE FUNCTION pgagent_py._tell_runs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    runs integer[];
BEGIN
    -- All that it costs where nobody wants to be told.
    IF NOT EXISTS (SELECT FROM pgagent_py.setting s WHERE s.name = 'notify_runs')
       AND NOT EXISTS (SELECT FROM pgagent_py.message) THEN
        RETURN NULL;
    END IF;
    -- Long past when it comes in: a restore, and no news.
    IF TG_OP = 'INSERT' THEN
        runs := ARRAY(SELECT c.jlgid FROM changed c WHERE c.jlgstart > now() - interval '1 minute');
    ELSE
        runs := ARRAY(SELECT c.jlgid FROM changed c JOIN before b ON b.jlgid = c.jlgid
                       WHERE b.jlgstatus = 'r' AND c.jlgstatus <> 'r');
    END IF;
    IF EXISTS (SELECT FROM pgagent_py.setting s WHERE s.name = 'notify_runs') THEN
        PERFORM pg_notify('pgagent_py_run', json_build_object(
                    'event', CASE c.jlgstatus WHEN 'r' THEN 'start' ELSE 'end' END,
                    'job', c.jlgjobid, 'name', left(j.jobname, 1000), 'run', c.jlgid,
                    'status', {{ run_status("c.jlgstatus") }},
                    'start', c.jlgstart, 'seconds', extract(epoch FROM c.jlgduration))::text)
           FROM changed c LEFT JOIN pgagent.pga_job j ON j.jobid = c.jlgjobid
          WHERE c.jlgid = ANY (runs) ORDER BY c.jlgid;
    END IF;
    -- Cut, whatever there is: jsonb has an end, and an error here would keep the run from ending, and all others of its turn.
    INSERT INTO pgagent_py.queued_message (qmsjobid, qmsjlgid, qmskind, qmstarget, qmssubject, qmstext, qmsdata)
    SELECT c.jlgjobid, c.jlgid, m.msgkind, m.msgtarget, m.msgsubject, m.msgtext, jsonb_build_object(
               'database', current_database(),
               'job', jsonb_build_object('id', j.jobid, 'name', left(j.jobname, 1000), 'description', left(j.jobdesc, 10000)),
               'run', jsonb_build_object('id', c.jlgid, 'status', {{ run_status("c.jlgstatus") }}, 'start', c.jlgstart,
                                         'seconds', extract(epoch FROM c.jlgduration)),
               'steps', coalesce(s.steps, '[]'))
      FROM changed c
      JOIN pgagent.pga_job j ON j.jobid = c.jlgjobid
     CROSS JOIN LATERAL (
           SELECT * FROM pgagent_py.message o WHERE o.msgjobid = c.jlgjobid
           UNION ALL SELECT * FROM pgagent_py.message a WHERE a.msgjobid IS NULL) m
     CROSS JOIN LATERAL (
           SELECT jsonb_agg(jsonb_build_object(
                      'name', left(t.jstname, 1000), 'status', {{ step_status("l.jslstatus") }}, 'result', l.jslresult,
                      'seconds', extract(epoch FROM l.jslduration), 'output', right(l.jsloutput, 10000)) ORDER BY l.jslid) AS steps
             FROM (SELECT * FROM pgagent.pga_jobsteplog a WHERE a.jsljlgid = c.jlgid ORDER BY a.jslid DESC LIMIT 100) l
             JOIN pgagent.pga_jobstep t ON t.jstid = l.jsljstid) s
     WHERE c.jlgid = ANY (runs) AND c.jlgstatus <> 'r'
       AND m.msgwhen = ANY (CASE WHEN c.jlgstatus = 's' THEN '{success,finish}'::text[]
                                 WHEN c.jlgstatus IN ('f', 'd') THEN '{failure,finish}' ELSE '{finish}' END);
    IF FOUND THEN
        PERFORM pg_notify('pgagent_py', 'message');
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._tell_runs() IS
'Runs have started or ended: notify channel pgagent_py_run if that is switched on (set_notify_runs), queue the messages that '
'add_message asks for.';
