{% from "macros/verb.j2" import verb %}
{% call verb("note_engine_job", ["jslid integer", "job text"], returns="boolean") %}
Write down what an engine that goes on without its launcher calls a step of this backend's agent, before anything else is done with it. So the agent that
takes the step over finds it.

- jslid: the step's entry in the log, as run_due() has returned it.
- job: the engine's id.

Returns false if the step is not this agent's any more, or is locked at this moment.
{% endcall %}
