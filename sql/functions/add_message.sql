{% from "macros/verb.j2" import verb %}
{% call verb("add_message", [
    "job integer",
    "kind text",
    "target text",
    "when text DEFAULT 'failure'",
    "text text DEFAULT NULL",
    "subject text DEFAULT NULL",
    "html text DEFAULT NULL",
    "attach text DEFAULT NULL",
    "cc text DEFAULT NULL",
    "bcc text DEFAULT NULL",
], returns="integer") %}
Let launchers send a message whenever a run of a job ends in a certain way, is late, or takes too long.

- job: the job's id. NULL means all jobs, and takes the right to edit pgAgent's tables.
- kind: email, webhook or chat. A webhook or chat takes membership in pgagent_py_batch, since the launcher's host calls
  it.
- target: the e-mail addresses, separated by commas; the http or https URL that the launcher POSTs to; or the URL of a
  chat or pager service, as the library apprise has it.
- when: failure (failed or aborted), success, finish (in any way), or recovered (the first success after failures).
  late and overrun are for jobs with late_after and overrun_after (alter_job).
- text: a Jinja2 template. Default: the run in words, for a webhook the run as JSON. An e-mail whose text comes out
  empty is not sent.
- subject: a Jinja2 template for the subject of an e-mail or the title of a chat message.
- html: a Jinja2 template for the HTML form of an e-mail. table(step) in it is the table of a step's rows.
- attach: csv or html: attach the rows of each step that keeps some (alter_step(keep_rows => ...)). If none of the job's
  SQL steps keeps any, all of them keep 500 from now on, also where text or html tell step.rows or table(step).
- cc, bcc: further e-mail addresses, separated by commas; the other receivers do not see those of bcc.

Returns the message's id (msgid).

Errors: 22023 names a bad argument. 42501: the role may not do this.
{% endcall %}
