{% from "macros/verb.j2" import verb %}
{% call verb("alter_job", [
    "job integer",
    "name text DEFAULT NULL",
    "description text DEFAULT NULL",
    "class text DEFAULT NULL",
    "host text DEFAULT NULL",
    "enabled boolean DEFAULT NULL",
    "timeout interval AS seconds DEFAULT NULL",
    "max_lateness interval AS seconds DEFAULT NULL",
    "priority integer DEFAULT NULL",
    "group text DEFAULT NULL",
    "max_failures integer DEFAULT NULL",
    "delete_on_success boolean DEFAULT NULL",
    "owner name DEFAULT NULL",
    "run_as name DEFAULT NULL",
    "keep_runs integer DEFAULT NULL",
    "keep_for interval DEFAULT NULL",
    "parameters jsonb AS text DEFAULT NULL",
]) %}
Change what is given of a job; NULL leaves as it is, '' and 0 take an option back. timeout: a run that takes longer is
stopped and fails. max_lateness: a run that can't start within this time of being due is skipped, and logged so.
priority: higher starts first among due jobs, default 0. group: what set_limit may limit. max_failures: disable the
job after so many failed runs in a row. delete_on_success: delete it after its first successful run. owner: the role
whose job it is, of which the caller is a member ('': nobody's, for who may edit pgagent's tables). run_as: a role
that the owner is a member of, which sql steps log in as ('': the owner). keep_runs, keep_for: how many of its runs,
and for how long, are kept in the history, instead of what set_retention() says. parameters: an object that its steps
find: sql ones by current_setting('pgagent_py.parameters'), batch ones in PGAGENT_PARAMETERS; '{}': nothing. Error
22023 names the bad argument, 42501: the role may not do this.
{% endcall %}
