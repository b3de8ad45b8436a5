-- What pgAdmin shows in its Statistics tabs, as one table.
SELECT j.jobname AS job,
       s.jstname AS step,
       CASE s.jstkind WHEN 's' THEN 'SQL' ELSE 'batch' END AS kind,
       l.jslstatus AS status,
       l.jslresult AS result,
       to_char(l.jslstart, 'HH24:MI:SS.MS') AS started,
       round(extract(epoch FROM l.jslduration) * 1000) AS ms,
       trim(E'\n' FROM l.jsloutput) AS output
FROM pgagent.pga_jobsteplog AS l
JOIN pgagent.pga_joblog AS r ON r.jlgid = l.jsljlgid
JOIN pgagent.pga_job AS j ON j.jobid = r.jlgjobid
JOIN pgagent.pga_jobstep AS s ON s.jstid = l.jsljstid
ORDER BY l.jslid;
