{% from "macros/verb.j2" import verb %}
{% call verb("set_limit", ["class text DEFAULT NULL", "group text DEFAULT NULL", "running integer DEFAULT NULL"]) %}
Let at most so many jobs of a class, or of a group (alter_job's "group"), run at once, all launchers together; running
NULL: any number. What runs already goes on; due jobs that have no place wait for one. Error 22023 names the bad
argument.
{% endcall %}
