{% from "macros/verb.j2" import verb %}
{% call verb("drop_message", ["message integer"]) %}
Delete a message that add_message() has set up. What is queued already is still sent.

- message: its id (msgid in pgagent_py.job_message).

Errors: 22023: there is no such message.
{% endcall %}
