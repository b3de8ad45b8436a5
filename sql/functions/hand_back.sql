{% from "macros/plans.j2" import fixed_plans %}
{% from "macros/verb.j2" import verb %}
{% call verb("hand_back", ["runs integer[]"], returns="SETOF integer", settings=fixed_plans) %}
Hand back runs that run_due() has handed out ahead of a free worker: they are as if they had never been claimed, and another
launcher may claim their jobs. A launcher does so for those that have not begun within some 50 ms.

- runs: the runs (jlgid) of this backend's agent whose first step has not begun.

Returns the runs that were handed back. The others stay the agent's: they were cancelled, a session has them locked, or they
are past their first step, or a trigger of a superuser's keeps their log. It is to execute them.
{% endcall %}
