{% from "macros/verb.j2" import verb %}
{% call verb("set_default_timezone", ["timezone text"]) %}
Change the time zone that schedules without one of their own are read in; the next runs follow. Error 22023: unknown
time zone.
{% endcall %}
