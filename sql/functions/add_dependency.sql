{% from "macros/verb.j2" import verb %}
{% call verb("add_dependency", ["job integer", "after integer", "when text DEFAULT 'success'"]) %}
Let a job start when the job after has ended. "when": success, failure (failed or aborted) or finish (any end). Of
several conditions all are awaited, each time anew. The run finds in its parameters, under triggered_by, what has set
it off. Given again, it replaces "when". Error 22023 names the bad argument, such as after for a circle.
{% endcall %}
