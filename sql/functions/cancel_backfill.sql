{% from "macros/verb.j2" import verb %}
{% call verb("cancel_backfill", ["backfill integer"]) %}
End a backfill: no more runs start for it. One in progress goes on; cancel_run() ends that.

- backfill: its number in the view backfills.

Errors: 22023: there is no such backfill. 55000: it has ended.
{% endcall %}
