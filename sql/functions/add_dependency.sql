{% from "macros/verb.j2" import verb %}
{% call verb("add_dependency", ["job integer", "after integer", "when text DEFAULT 'success'"]) %}
Let a job start when another job has ended. A job that waits for several starts when all its conditions are met, and
then waits for all of them again. Its run finds the runs that have set it off in its parameters, under triggered_by.

- after: the id of the job that is waited for.
- when: how that job must end: success, failure (failed or aborted) or finish (in any way). Given again for the same
  two jobs, it replaces the condition.

Errors: 22023 names a bad argument, for example after if the jobs would wait for each other.
{% endcall %}
