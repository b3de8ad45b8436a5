"""The settings of the launcher's own session. Steps keep what is set for their role and database."""

from __future__ import annotations

# Settings of the session; those of the role and the database do not count. The backend of a launcher that is cut off ends
# within half a minute, and a claim is never forgotten in a crash.
SETTINGS = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "client_connection_check_interval": "1000",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "client_min_messages": "notice",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "exit_on_error": "off",
    # Plans without these may take a thousand times as long
    "enable_seqscan": "on",
    "enable_indexscan": "on",
    "enable_nestloop": "on",
    "enable_hashjoin": "on",
    "join_collapse_limit": "8",
    "from_collapse_limit": "8",
    "plan_cache_mode": "auto",
    "jit": "off",
}
BEGIN_SESSION = """
SELECT pg_catalog.set_config('statement_timeout', '0', false), pg_catalog.set_config('idle_session_timeout', '0', false),
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)"""
SET_SETTINGS = """
SELECT pg_catalog.set_config(s.name, w.value, false)
  FROM pg_catalog.jsonb_each_text(%s) w (name, value) JOIN pg_catalog.pg_settings s ON s.name = w.name
 UNION ALL
SELECT pg_catalog.set_config('synchronous_commit', 'local', false)
 WHERE pg_catalog.current_setting('synchronous_commit') = 'off'
 UNION ALL
SELECT pg_catalog.set_config('client_encoding', e.name, false)
  FROM pg_catalog.current_setting('server_encoding') e (name) WHERE e.name <> 'SQL_ASCII'
 UNION ALL
SELECT pg_catalog.set_config('session_replication_role', 'origin', false)
 WHERE pg_catalog.current_setting('session_replication_role') = 'replica'
   AND pg_catalog.current_setting('is_superuser') = 'on'
 UNION ALL
-- a role that was set for the one that logs in, and that may run no launcher
SELECT pg_catalog.set_config('role', 'none', false)
 WHERE pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole('pgagent_py_launcher'), 'MEMBER')
   AND NOT pg_catalog.pg_has_role(pg_catalog.to_regrole('pgagent_py_launcher'), 'MEMBER')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'pgagent' AND c.relname = 'pga_job' AND pg_catalog.has_table_privilege(c.oid, 'DELETE'))"""
