{% from "macros/verb.j2" import verb %}
{% call verb("unskip_next_run", ["job integer"]) %}
Take back what skip_next_run() has left out: the job runs at those times that are still to come.

Errors: 22023: there is no such job.
{% endcall %}
