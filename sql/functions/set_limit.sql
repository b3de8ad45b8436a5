{% from "macros/verb.j2" import verb %}
{% call verb("set_limit", ["class text DEFAULT NULL", "group text DEFAULT NULL", "running integer DEFAULT NULL",
                            "owner name DEFAULT NULL", "priority integer DEFAULT NULL",
                            "window text DEFAULT NULL"]) %}
Limit how many jobs run at once, all launchers together. Give class, group or owner. Jobs that are running go on; a due
job waits for a place. An argument that is left out leaves things as they are.

- class: the name of a job class in pgagent.pga_jobclass.
- group: a name that alter_job() has given to jobs.
- running: how many, 1 or more. 0 takes the limit back. NULL does so, too, if there is no other argument than class,
  group or owner.
- owner: the role that owns the jobs.
- priority: of an owner. Due jobs of owners with a higher number start first; without one it is 0. An owner with nothing
  running at a launcher has a place there all the same.
- window: of a class, the windows in which runs of its jobs may start, as in alter_job(). If a job has windows of its own, both
  must be open. '' takes it off.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
