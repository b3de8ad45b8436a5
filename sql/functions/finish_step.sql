{% from "macros/verb.j2" import verb %}
{% call verb("finish_step", [
    "jslid integer",
    "jslresult integer",
    "jsloutput text",
    "jslduration interval AS seconds",
]) %}
Log an atomic step as successful, in the transaction of its code. It is the last statement before COMMIT.

- jslid: the step's entry in the log, as run_due() has returned it.
- jslresult: the number of rows affected.
- jsloutput: what the log is to show.
- jslduration: how long the step took.

Errors: 55000: the step is not in progress any more, so its effects must not be committed.
{% endcall %}
