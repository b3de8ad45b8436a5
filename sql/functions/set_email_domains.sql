{% from "macros/verb.j2" import verb %}
{% call verb("set_email_domains", ["domains text[]"]) %}
Let send_email() send to the addresses of these domains only. set_bound() sets how many mails a role may send in an hour
(emails) and how large they may be (email_bytes).

- domains: names such as example.org; their subdomains are others. NULL means all domains.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
