{% from "macros/verb.j2" import verb %}
{% call verb("pause", ["class text DEFAULT NULL"]) %}
Let no run start of the jobs of a class, or of any job when no class is given. Runs in progress go on; jobs that fall
due, or are told to run now, wait. Lasts until resume(), over restarts of launchers and server. Error 22023: there is
no such class.
{% endcall %}
