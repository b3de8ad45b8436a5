{% from "macros/verb.j2" import verb %}
{% call verb("add_message", [
    "job integer",
    "kind text",
    "target text",
    "when text DEFAULT 'failure'",
    "text text DEFAULT NULL",
    "subject text DEFAULT NULL",
], returns="integer") %}
Have the launcher send a message at the end of runs of a job, of all jobs when job is NULL. kind: email (target:
addresses, separated by commas) or webhook (target: http or https URL to POST to). when: failure (which includes
aborted runs), success or finish. text, subject: Jinja2 templates, default our own words, or the run as JSON for a
webhook; an e-mail whose text comes out empty is not sent. Returns the message id. Error 22023 names the bad argument.
{% endcall %}
