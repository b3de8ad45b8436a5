{% from "macros/verb.j2" import verb %}
{% call verb("pause", ["class text DEFAULT NULL", "from timestamptz DEFAULT NULL", "until timestamptz DEFAULT NULL"]) %}
Let no run start until resume(), also after launchers or the server have restarted. Runs in progress go on. Jobs that
fall due, or that are to run now, wait.

- class: the name of a job class in pgagent.pga_jobclass. NULL pauses all jobs.
- from: when the pause begins. Default: at once.
- until: when it is over by itself, whether a launcher is there then or not. Default: never.

Another pause of the same class takes the place of the first.

Errors: 22023: there is no such class, or until is not later than now and from. 42501: the role may not edit pgAgent's tables.
{% endcall %}
