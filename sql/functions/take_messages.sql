{% from "macros/verb.j2" import verb %}
{% call verb("take_messages", ["count integer"], returns="jsonb") %}
For launchers: at most count messages to send now, as a JSON array; finish_messages() is owed within five minutes,
then they are another launcher's to send. Error 42501: the role may not run jobs.
{% endcall %}
