{% from "macros/verb.j2" import verb %}
{% call verb("drop_message", ["message integer"]) %}
Delete a message that add_message made; what is queued already is sent. Error 22023: there is no such message.
{% endcall %}
