CREATE TABLE pgagent_py.comment_line (
    jobid integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jstid integer REFERENCES pgagent.pga_jobstep (jstid) ON DELETE CASCADE,
    jscid integer REFERENCES pgagent.pga_schedule (jscid) ON DELETE CASCADE,
    CHECK (num_nonnulls(jobid, jstid, jscid) = 1),
    lintext text NOT NULL,
    linafter text,
    linwhen text,
    jobafter integer REFERENCES pgagent.pga_job (jobid) ON DELETE SET NULL
);

-- Without a primary key: publications of all tables would refuse deletes.
ALTER TABLE pgagent_py.comment_line REPLICA IDENTITY FULL;

CREATE INDEX comment_line_jobid ON pgagent_py.comment_line (jobid) WHERE jobid IS NOT NULL;
CREATE INDEX comment_line_jstid ON pgagent_py.comment_line (jstid) WHERE jstid IS NOT NULL;
CREATE INDEX comment_line_jscid ON pgagent_py.comment_line (jscid) WHERE jscid IS NOT NULL;
CREATE INDEX comment_line_jobafter ON pgagent_py.comment_line (jobafter) WHERE jobafter IS NOT NULL;

-- A new job looks for the lines that wait for its name.
CREATE INDEX comment_line_awaited ON pgagent_py.comment_line (left(linafter, 100)) WHERE linafter IS NOT NULL AND jobafter IS NULL;

COMMENT ON TABLE pgagent_py.comment_line IS
'The @ lines that were read last in the comment of a job, a step or a schedule. The next time only those act that have '
'come or gone.';
COMMENT ON COLUMN pgagent_py.comment_line.lintext IS
'The line: its name, one space, its value. It may be a secret: only superusers read this table.';
COMMENT ON COLUMN pgagent_py.comment_line.linafter IS
'The name of the job that an @after line gives. NULL: another line.';
COMMENT ON COLUMN pgagent_py.comment_line.linwhen IS
'How that job must end: success, failure or finish.';
COMMENT ON COLUMN pgagent_py.comment_line.jobafter IS
'The job that was found by that name. NULL: there is none yet, and the line waits for it.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.comment_line', '');
