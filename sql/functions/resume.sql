{% from "macros/verb.j2" import verb %}
{% call verb("resume", ["class text DEFAULT NULL"]) %}
End a pause. A job that has fallen due during the pause runs once, then its schedules go on.

- class: the name of the class that was paused. NULL ends the pause of all jobs; a class that was paused by itself
  stays paused.

Errors: 22023: there is no such class. 55000: it is not paused. 42501: the role may not edit pgAgent's tables.
{% endcall %}
