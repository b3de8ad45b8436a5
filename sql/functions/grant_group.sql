{% from "macros/verb.j2" import verb %}
{% call verb("grant_group", ["group text", "role name", "granted boolean DEFAULT true"]) %}
Let a role put the jobs that it owns into a group. A group belongs to the role that has first put a job into it; other
roles need this.

- group: the name, as in alter_job().
- granted: false takes it back. Jobs that are in the group stay there.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
