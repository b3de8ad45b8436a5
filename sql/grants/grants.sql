-- Every role may call the API: what it may do is decided behind it, by its rights on pgagent's tables and its memberships.
GRANT USAGE ON SCHEMA pgagent_py TO PUBLIC;
GRANT INSERT (verb, arguments), SELECT ON pgagent_py.request TO PUBLIC;
GRANT SELECT ON pgagent_py.setting, pgagent_py.this_agent, pgagent_py.visible_job, pgagent_py.visible_schedule_rule TO PUBLIC;
GRANT SELECT ON pgagent_py.job_status, pgagent_py.run_history, pgagent_py.job_message, pgagent_py.unsent_message TO PUBLIC;
