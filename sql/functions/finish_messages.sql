{% from "macros/verb.j2" import verb %}
{% call verb("finish_messages", ["ids bigint[]", "errors text[]", "permanent boolean[]"]) %}
Say what has become of messages that take_messages() has returned. The three arrays belong together.

- ids: the messages.
- errors: why a message could not be sent. NULL: it was sent, and is forgotten.
- permanent: true gives the message up. false has it tried again later, ten times in all.

Errors: 22023: the arrays differ in length. 42501: the role may not run jobs.
{% endcall %}
