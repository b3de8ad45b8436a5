{% from "macros/verb.j2" import verb %}
{% call verb("finish_step", [
    "jslid integer",
    "jslresult integer",
    "jsloutput text",
    "jslduration interval AS seconds",
]) %}
Log an atomic step as successful, in the transaction of its code: the last thing that a launcher does in it before
COMMIT. Error 55000: the step is not running (any more), so its effects must not be committed.
{% endcall %}
