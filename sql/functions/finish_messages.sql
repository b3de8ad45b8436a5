{% from "macros/verb.j2" import verb %}
{% call verb("finish_messages", ["ids bigint[]", "errors text[]", "permanent boolean[]"]) %}
For launchers: what became of messages taken. error NULL: sent, so forget it; else try again after a while, unless
permanent. Error 42501: the role may not run jobs.
{% endcall %}
