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
    "cron text DEFAULT NULL",
    "labels text[] DEFAULT NULL",
    "late_after interval AS seconds DEFAULT NULL",
    "overrun_after interval AS seconds DEFAULT NULL",
    "catch_up text DEFAULT NULL",
    "catch_up_limit integer DEFAULT NULL",
    "window text DEFAULT NULL",
    "at_window_end text DEFAULT NULL",
]) %}
Change a job. An argument that is NULL or left out leaves things as they are; '' or 0 takes an option back.

- name, description, class, enabled: as in add_job().
- host: as in add_job(); '' lets any launcher run the job again.
- timeout: a run that takes longer is stopped and fails, whatever on_error of its steps says.
- max_lateness: a run that cannot start within this time of being due is skipped. The log says so, with status i.
- priority: among due jobs the one with the higher number starts first. Default: 0. It stops no running job.
- group: a name under which set_limit() can limit jobs of any class.
- max_failures: the job is disabled when so many runs in a row have failed.
- delete_on_success: the job is deleted, with its history, after its first successful run.
- owner: the role whose job it is; the caller must be a member of it. '' makes it nobody's job, for roles that may
  edit pgAgent's tables.
- run_as: the role that SQL steps log in as; the owner must be a member of it. '' is the owner again.
- keep_runs, keep_for: how many of its runs, and for how long, the history keeps, instead of what set_retention()
  says.
- parameters: a JSON object that steps find in current_setting('pgagent_py.parameters') or PGAGENT_PARAMETERS; '{}'
  takes it back.
- cron: when it runs, as in add_job(). It replaces the schedules that cron made for the job here or in add_job(); '' takes
  them away. It is refused where the job has other schedules.
- labels: the job runs only on a launcher that has all of them (pgagent-py --label). They are compared as whole strings.
  '{}' takes them back.
- late_after, overrun_after: messages with "when" => 'late' or 'overrun' tell when a run has not started within this
  time of being due, or takes longer than this. Neither stops it.
- catch_up: what becomes of the times of its schedules that were missed, for example while no launcher lived: once (the
  default), the job runs once, for the earliest; skip, it does not run for them; all, it runs for each, one after the
  other, also for those that pass while it runs. A time is missed when its run can't start within a minute, or
  max_lateness where that is set.
- catch_up_limit: with all, of how many the job runs, the newest. Default: 100; 0 takes it back.
- window: the names of windows (add_window), separated by commas. Its runs start while one of them is open and no closed
  one is; with closed ones only, at all other times. What falls due outside starts at the opening, from which
  max_lateness and late_after count. run_now() starts it at any time. '' takes it back.
- at_window_end: what becomes of a run when the window closes: finish (the default), it goes on; stop, it is ended. A run that
  run_now() has started outside goes on.

Errors: 22023 names a bad argument, and nothing is changed. 42501: the role may not do this, or the owner may not run
the job.
{% endcall %}
