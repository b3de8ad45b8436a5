-- Named so that they sort before pgAgent's own pga_job_trigger (claim, next_run) and after it (unset): PostgreSQL fires triggers
-- in the order of their names. The WHEN clauses keep every other update of the table as cheap as it was.
{% macro on_job(name, when, function, condition, comment) %}
DROP TRIGGER IF EXISTS {{ name }} ON pgagent.pga_job;
CREATE TRIGGER {{ name }} {{ when }} ON pgagent.pga_job
    FOR EACH ROW WHEN ({{ condition }})
    EXECUTE FUNCTION pgagent_py.{{ function }}();
ALTER TRIGGER {{ name }} ON pgagent.pga_job DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER {{ name }} ON pgagent.pga_job IS 'pgagent_py: {{ comment }}';
{% endmacro %}

-- joblastrun = now() is how pgAgent's claim statement looks.
{{ on_job("pga_job_claim_stale", "BEFORE UPDATE", "_refuse_stale_claim",
    "OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL AND NEW.joblastrun = now() AND (NEW.jobnextrun <= now()) IS NOT TRUE",
    "an agent may claim only what is due.") }}
{{ on_job("pga_job_claim_owned", "BEFORE UPDATE", "_refuse_claim",
    "OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL",
    "only an agent that knows owners may claim a job that has one.") }}
{{ on_job("pga_job_next_run", "BEFORE UPDATE", "_set_next_run",
    "NEW.jobenabled AND NEW.jobnextrun IS NULL",
    "next run by the rules of pgagent_py.") }}
{{ on_job("pga_job_unset_next_run", "BEFORE UPDATE", "_unset_next_run",
    "NEW.jobnextrun = 'infinity'",
    "a job that never runs has no next run.") }}
-- A launcher sleeps 30 seconds at most, so later ones need not wake it; nor need jobs that an agent has just released.
{{ on_job("pgagent_py_notify_due", "AFTER UPDATE", "_notify_due",
    "NEW.jobenabled AND NEW.jobagentid IS NULL AND OLD.jobagentid IS NULL AND NEW.jobnextrun <= now() + interval '40 s'"
    " AND (NEW.jobnextrun < OLD.jobnextrun OR OLD.jobnextrun IS NULL OR NOT OLD.jobenabled)",
    "wake the launchers for a job that is due soon.") }}
{{ on_job("pgagent_py_notify_due_new", "AFTER INSERT", "_notify_due",
    "NEW.jobenabled AND NEW.jobagentid IS NULL AND NEW.jobnextrun <= now() + interval '40 s'",
    "wake the launchers for a job that is due soon.") }}
