CREATE OR REPLACE VIEW pgagent_py.every_exception AS
SELECT e.jexid, e.jexscid, e.jexdate, e.jextime FROM pgagent.pga_exception e
 UNION ALL
SELECT e.jexid, e.jexscid, e.jexdate, e.jextime FROM pgagent_py.exception e;

COMMENT ON VIEW pgagent_py.every_exception IS
'All exceptions: those in pgAgent''s table, and those that it has no place for. Rows may be inserted and deleted.';
