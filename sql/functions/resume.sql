{% from "macros/verb.j2" import verb %}
{% call verb("resume", ["class text DEFAULT NULL"]) %}
End the pause of a class, or that of everything when no class is given; a class that was paused by itself stays so.
Jobs that have fallen due meanwhile run once. Error 22023: there is no such class, 55000: it is not paused.
{% endcall %}
