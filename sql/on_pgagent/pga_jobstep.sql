{% from "macros/on_pgagent.j2" import comment_lines %}
{{ comment_lines("pga_jobstep", "jstdesc") }}
