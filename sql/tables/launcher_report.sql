CREATE TABLE pgagent_py.launcher_report (
    agent uuid PRIMARY KEY,
    lrpskew interval NOT NULL,
    lrphindered text[] NOT NULL
);

COMMENT ON TABLE pgagent_py.launcher_report IS
'What launchers say of their hosts. It is a table of its own: a launcher''s turn changes its row of agent, which keeps small.';
COMMENT ON COLUMN pgagent_py.launcher_report.lrpskew IS
'By how much the host''s clock is ahead of the server''s, as far as that is certain. Negative: behind.';
COMMENT ON COLUMN pgagent_py.launcher_report.lrphindered IS
'What the launcher''s service takes from batch steps, by the names of systemd''s settings.';
