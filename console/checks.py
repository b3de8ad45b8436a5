"""The checks of pgagentctl doctor: each is a query that returns what is wrong, and the remedy."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

BAD, NOTE = "bad", "note"


class Check(NamedTuple):
    """*query* returns a row with the column what for each finding. A note does not count as wrong.

    *right*: whether the role sees what the query reads. Where that is not said, the server refuses what it may not.
    """

    name: str
    level: str
    query: LiteralString
    remedy: str
    right: LiteralString = "true"


LAUNCHERS = (
    Check(
        "no launcher",
        BAD,
        "SELECT 'no launcher serves this database' AS what WHERE NOT EXISTS (SELECT FROM pgagent_py.launchers)",
        "Start pgagent-py with a connection string of this database, and let systemd keep it running.",
    ),
    Check(
        "versions",
        BAD,
        """SELECT format('the launcher on %s is of version %s, the extension of %s', l.host, coalesce(l.version, 'before 1.1'),
                  v.version) AS what
             FROM pgagent_py.launchers l, split_part(pgagent_py.version(), '+', 1) v (version)
            WHERE l.kind = 'pgagent-py' AND l.version IS DISTINCT FROM v.version""",
        "Install the launcher of the extension's version, and restart it.",
    ),
    Check(
        "version",
        BAD,
        """SELECT format('version %s is installed on this server, the database has %s', e.default_version,
                  e.installed_version) AS what
             FROM pg_available_extensions e
            WHERE e.name = 'pgagent_py' AND e.default_version <> e.installed_version""",
        "ALTER EXTENSION pgagent_py UPDATE;",
    ),
    Check(
        "daemon and launcher",
        NOTE,
        """SELECT 'the C++ daemon and pgagent-py serve this database both' AS what
            WHERE (SELECT count(DISTINCT l.kind) FROM pgagent_py.launchers l) > 1""",
        "That works, but the daemon heeds no timeout, limit, owner or retry: stop it when the launcher is trusted.",
    ),
    Check(
        "host without launcher",
        BAD,
        """SELECT format('job "%s" (%s) runs on host %s only, where no launcher is', v.jobname, v.jobid, v.jobhostagent) AS what
             FROM pgagent_py.visible_job v
            WHERE v.jobenabled AND v.jobhostagent <> '' AND EXISTS (SELECT FROM pgagent_py.launchers)
              AND NOT EXISTS (SELECT FROM pgagent_py.launchers l WHERE l.host = v.jobhostagent) ORDER BY v.jobid LIMIT 20""",
        "Start a launcher there, or take the host away: pgagentctl edit JOB.",
    ),
    Check(
        "clock of a launcher",
        BAD,
        """SELECT format('the clock of %s is %s seconds %s that of the server', l.host, abs(extract(epoch FROM l.skew)),
                  CASE WHEN l.skew > interval '0' THEN 'ahead of' ELSE 'behind' END) AS what
             FROM pgagent_py.launchers l WHERE abs(extract(epoch FROM l.skew)) > 2""",
        "Let NTP or chrony set both. Jobs fall due by the server's clock; what steps do may go by the host's.",
    ),
    Check(
        "unit hardening",
        NOTE,
        """SELECT format('batch steps on %s are hindered by %s of the launcher''s service', l.host,
                  array_to_string(l.hindered, ', ')) AS what
             FROM pgagent_py.launchers l
            WHERE l.hindered <> '{}'
              AND EXISTS (SELECT FROM pgagent_py.visible_step s WHERE s.jstenabled AND s.jstkind = 'batch')""",
        "hardening.conf says what each takes, for example mail and sudo. systemctl edit pgagent-py gives it back.",
    ),
    Check(
        "late jobs",
        BAD,
        """SELECT format('job "%s" (%s) has been due since %s', v.jobname, v.jobid, v.jobnextrun) AS what
             FROM pgagent_py.visible_job v
            WHERE v.jobenabled AND NOT v.jobrunning AND v.jobnextrun < now() - interval '5 minutes'
              AND NOT EXISTS (SELECT FROM pgagent_py.job_status s WHERE s.jobid = v.jobid AND s.window_opens IS NOT NULL)
            ORDER BY v.jobnextrun LIMIT 10""",
        "pgagentctl status shows why: no launcher, a pause, no free place (--workers), or a limit.",
    ),
    Check(
        "no launcher may",
        BAD,
        """SELECT format('job "%s" (%s) has waited since %s: %s', s.jobname, s.jobid, s.no_launcher_since, s.no_launcher) AS what
             FROM pgagent_py.job_status s WHERE s.no_launcher IS NOT NULL AND EXISTS (SELECT FROM pgagent_py.launchers)
            ORDER BY s.no_launcher_since LIMIT 20""",
        "Start a launcher with these labels or engines, or pgagentctl undrain HOST. Or change the job: pgagentctl edit JOB.",
    ),
)
JOBS = (
    Check(
        "roles",
        BAD,
        """SELECT format('job "%s" (%s) runs as role %s, which %s', v.jobname, v.jobid, w.role, w.why) AS what
             FROM pgagent_py.visible_job v
            CROSS JOIN LATERAL (SELECT coalesce(v.jobrunas, v.jobowner) AS role, CASE
                  WHEN r.oid IS NULL THEN 'does not exist'
                  WHEN NOT r.rolcanlogin THEN 'may not log in'
                  WHEN r.rolconnlimit = 0 THEN 'may have no connection' END AS why
                  FROM (SELECT) one LEFT JOIN pg_roles r ON r.rolname = coalesce(v.jobrunas, v.jobowner)) w
            WHERE v.jobenabled AND w.role IS NOT NULL AND w.why IS NOT NULL
              AND EXISTS (SELECT FROM pgagent_py.visible_step s WHERE s.jobid = v.jobid AND s.jstenabled AND s.jstkind = 'sql')
            ORDER BY v.jobid LIMIT 20""",
        "ALTER ROLE ... LOGIN CONNECTION LIMIT -1, or give the job another owner or run_as: pgagentctl edit JOB.",
    ),
    Check(
        "refused connections",
        BAD,
        """SELECT format('the launcher on %s could not connect for step %s of job "%s": %s', f.host, f.jstname, f.jobname,
                  left(translate(f.error, E'\\n\\t', '  '), 300)) AS what
             FROM pgagent_py.refusals f LIMIT 20""",
        "Let the launcher's host in by pg_hba.conf, give it the password in ~/.pgpass, or correct the step's database.",
    ),
    Check(
        "databases",
        BAD,
        """SELECT format('step %s of job "%s" (%s): database %s %s', s.jstname, v.jobname, v.jobid, s.jstdbname, w.why) AS what
             FROM pgagent_py.visible_step s
             JOIN pgagent_py.visible_job v ON v.jobid = s.jobid
            CROSS JOIN LATERAL (SELECT CASE
                  WHEN d.oid IS NULL THEN 'does not exist'
                  WHEN NOT d.datallowconn OR d.datconnlimit = 0 THEN 'allows no connections'
                  WHEN NOT has_database_privilege(r.oid, d.oid, 'CONNECT')
                  THEN format('does not let role %s connect', r.rolname) END AS why
                  FROM (SELECT) one LEFT JOIN pg_database d ON d.datname = s.jstdbname
                  LEFT JOIN pg_roles r ON r.rolname = coalesce(v.jobrunas, v.jobowner)) w
            WHERE v.jobenabled AND s.jstenabled AND s.jstkind = 'sql' AND s.jstdbname <> '' AND w.why IS NOT NULL
            ORDER BY s.jstid LIMIT 20""",
        "Correct the step: pgagentctl edit JOB. Or GRANT CONNECT ON DATABASE ... TO ...;",
    ),
    Check(
        "never fires",
        BAD,
        """SELECT format('schedule "%s" (%s) of job %s never fires again: %s', s.jscname, s.jscid, s.jobid, s.words) AS what
             FROM (SELECT s.*, o.reboot FROM pgagent_py.visible_schedule s
                     LEFT JOIN pgagent_py.schedule_options o ON o.jscid = s.jscid ORDER BY s.jscid LIMIT 5000) s
            WHERE s.jscenabled AND s.reboot IS NOT TRUE AND pgagent_py.next_run(s.jscid) IS NULL LIMIT 20""",
        "Correct its days or its end, or disable it: pgagentctl edit JOB.",
    ),
    Check(
        "window never opens",
        BAD,
        """SELECT format('job "%s" (%s): its windows never let it start', s.jobname, s.jobid) AS what
             FROM pgagent_py.job_status s WHERE s.jobenabled AND s.window_opens = 'infinity' ORDER BY s.jobid LIMIT 20""",
        "pgagent_py.windows shows when each is open. Give the job another: pgagentctl edit JOB.",
    ),
    Check(
        "no steps",
        BAD,
        """SELECT format('job "%s" (%s) has no enabled step', v.jobname, v.jobid) AS what FROM pgagent_py.visible_job v
            WHERE v.jobenabled
              AND NOT EXISTS (SELECT FROM pgagent_py.visible_step s WHERE s.jobid = v.jobid AND s.jstenabled)
            ORDER BY v.jobid LIMIT 20""",
        "Add a step: pgagentctl edit JOB. Or pgagentctl disable JOB.",
    ),
    Check(
        "no schedule",
        NOTE,
        """SELECT format('job "%s" (%s) has no enabled schedule and waits for no job', v.jobname, v.jobid) AS what
             FROM pgagent_py.visible_job v
            WHERE v.jobenabled AND v.jobnextrun IS NULL AND NOT v.jobrunning
              AND NOT EXISTS (SELECT FROM pgagent_py.visible_schedule s WHERE s.jobid = v.jobid AND s.jscenabled)
              AND NOT EXISTS (SELECT FROM pgagent_py.dependencies d WHERE d.jobid = v.jobid) ORDER BY v.jobid LIMIT 20""",
        "It runs only when somebody runs it. If that is not meant, give it a schedule: pgagentctl edit JOB.",
    ),
    Check(
        "longer than the interval",
        BAD,
        """SELECT format('job "%s" (%s) takes %s, and is due every %s', t.jobname, t.jobid, date_trunc('second', t.p95_duration),
                  n.gap) AS what
             FROM (SELECT * FROM pgagent_py.run_statistics() LIMIT 5000) t
            CROSS JOIN LATERAL (SELECT max(r) - min(r) AS gap FROM pgagent_py.next_runs(t.jobid, 2) r) n
            WHERE n.gap > interval '0' AND t.p95_duration > n.gap ORDER BY t.jobid LIMIT 20""",
        "Let it run less often, or make it faster: a run that is still going when the next is due delays it.",
    ),
    Check(
        "problems",
        BAD,
        "SELECT concat_ws(': ', p.jobname, p.error) AS what FROM pgagent_py.problems p LIMIT 20",
        "See the view pgagent_py.problems, and docs/errors.md for the words.",
    ),
    Check(
        "failing",
        BAD,
        """SELECT format('job "%s" (%s) has failed %s times in a row', s.jobname, s.jobid, s.failures_in_a_row) AS what
             FROM pgagent_py.job_status s WHERE s.jobenabled AND s.failures_in_a_row >= 3 ORDER BY s.jobid LIMIT 20""",
        "pgagentctl why JOB shows the error.",
    ),
    Check(
        "unsent messages",
        BAD,
        """SELECT format('%s messages were given up', count(*)) AS what FROM pgagent_py.unsent_message u
            WHERE u.given_up HAVING count(*) > 0""",
        "See qmserror in the view pgagent_py.unsent_message, and the launcher's --smtp options.",
    ),
)
SERVER = (
    Check(
        "large log",
        BAD,
        """SELECT format('the log has about %s runs, %s, and no retention is set', c.reltuples::bigint,
                  pg_size_pretty(pg_total_relation_size('pgagent.pga_joblog')
                                 + pg_total_relation_size('pgagent.pga_jobsteplog'))) AS what
             FROM pg_class c WHERE c.oid = 'pgagent.pga_joblog'::regclass AND c.reltuples > 100000
              AND NOT EXISTS (SELECT FROM pgagent_py.setting s WHERE s.name IN ('keep_runs', 'keep_for'))""",
        "SELECT pgagent_py.set_retention(keep_for => '90 days');",
    ),
    Check(
        "bloat",
        NOTE,
        """SELECT format('%s has %s dead rows beside %s live ones', s.relid::regclass, s.n_dead_tup, s.n_live_tup) AS what
             FROM pg_stat_all_tables s WHERE s.schemaname IN ('pgagent', 'pgagent_py')
              AND s.n_dead_tup > 50000 AND s.n_dead_tup > s.n_live_tup""",
        "VACUUM it, and look for what keeps autovacuum from it: an old transaction, or a replication slot.",
    ),
    Check(
        "time zone",
        NOTE,
        """SELECT format('the jobs'' time zone is %s, that of the database is %s', pgagent_py.default_timezone(), z.zone) AS what
             FROM (SELECT coalesce(
                   (SELECT split_part(c, '=', 2) FROM pg_db_role_setting r JOIN pg_database d ON d.oid = r.setdatabase
                     CROSS JOIN unnest(r.setconfig) c
                     WHERE d.datname = current_database() AND r.setrole = 0 AND c ILIKE 'timezone=%'),
                   (SELECT f.setting FROM pg_file_settings f WHERE lower(f.name) = 'timezone' AND f.applied LIMIT 1))) z (zone)
            WHERE z.zone <> pgagent_py.default_timezone()""",
        "If schedules are to follow the database: SELECT pgagent_py.set_default_timezone('...');",
    ),
    Check(
        "time zone of the daemon",
        NOTE,
        """SELECT format('the jobs'' time zone is %s, that of the daemon on %s (role %s) is %s', pgagent_py.default_timezone(),
                  l.host, l.role, z.zone) AS what
             FROM (SELECT DISTINCT l.host, l.role FROM pgagent_py.launchers l WHERE l.kind = 'pgagent') l
            CROSS JOIN LATERAL (
                  SELECT split_part(c, '=', 2) AS zone FROM pg_db_role_setting s
                    LEFT JOIN pg_database d ON d.oid = s.setdatabase CROSS JOIN unnest(s.setconfig) c
                   WHERE s.setrole = to_regrole(quote_ident(l.role)) AND (d.oid IS NULL OR d.datname = current_database())
                     AND c ILIKE 'timezone=%' ORDER BY s.setdatabase DESC LIMIT 1) z
            WHERE z.zone <> pgagent_py.default_timezone()""",
        "The daemon sets next runs by its own session's zone: ALTER ROLE ... RESET timezone, or stop the daemon.",
    ),
    Check(
        "connection slots",
        BAD,
        """SELECT format('%s of %s connections are in use, and the launchers may need %s more', u.used, m.most, m.wanted) AS what
             FROM (SELECT count(*) AS used FROM pg_stat_activity a WHERE a.backend_type = 'client backend') u,
                  (SELECT current_setting('max_connections')::int
                          - current_setting('superuser_reserved_connections')::int AS most,
                          (SELECT coalesce(sum(greatest(l.places - l.running, 0)), 0) FROM pgagent_py.launchers l) AS wanted) m
            WHERE u.used + m.wanted > m.most""",
        "Raise max_connections, or start launchers with fewer --workers.",
        "pg_has_role('pg_read_all_stats', 'MEMBER')",
    ),
    Check(
        "pooler",
        NOTE,
        """SELECT format('the launcher on %s works through a connection pooler', l.host) AS what
             FROM pgagent_py.launchers l WHERE l.pooled""",
        "That works, but a dead launcher is noticed later: connect launchers to the server itself.",
    ),
    Check(
        "log ids",
        BAD,
        """SELECT format('%s: %s of 2147483647 ids are used', s.sequencename, s.last_value) AS what FROM pg_sequences s
            WHERE s.schemaname = 'pgagent' AND s.last_value > 1600000000""",
        "Let the launchers stop. TRUNCATE pgagent.pga_joblog, pgagent.pga_jobsteplog RESTART IDENTITY CASCADE;",
        """(SELECT coalesce(bool_and(has_sequence_privilege(c.oid, 'USAGE') OR has_sequence_privilege(c.oid, 'SELECT')), true)
             FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = to_regnamespace('pgagent'))""",
    ),
    Check(
        "publication",
        BAD,
        """SELECT format('%s.%s is in publication %s and has no replica identity', p.schemaname, p.tablename, p.pubname) AS what
             FROM pg_publication_tables p JOIN pg_publication b ON b.pubname = p.pubname
             JOIN pg_class c ON c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass
            WHERE p.schemaname IN ('pgagent', 'pgagent_py') AND (b.pubupdate OR b.pubdelete) AND (c.relreplident = 'n'
                  OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))""",
        "ALTER TABLE ... REPLICA IDENTITY FULL, else every UPDATE of it is refused.",
    ),
)
