{% from "macros/verb.j2" import verb %}
{% call verb("take_messages", ["count integer", "knows text[] DEFAULT '{}'"], returns="jsonb") %}
Take messages from the queue, to be sent now: those of one owner's jobs. Left out is what waits for a receiver that others of that
owner are on their way to, and what is of an owner of whom others were taken a second ago, or three times. finish_messages() must
follow within five minutes; after that, another launcher may take them again.

- count: how many at most.
- knows: kinds that it can send beside email and webhook: mail, chat.

Returns a JSON array of objects with id, kind, target, subject, text, html, attach, cc, bcc and data.

Errors: 42501: the role may not run jobs.
{% endcall %}
