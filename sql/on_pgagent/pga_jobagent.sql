{% from "macros/on_pgagent.j2" import not_in_turn, trigger %}
CREATE OR REPLACE FUNCTION pgagent_py._keep_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    kept boolean;
BEGIN
    IF NOT {{ python_constant("ground.vocabulary.DAEMON_STARTS") }} THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    PERFORM pgagent_py._refuse_foreign_code();
    IF TG_TABLE_NAME = 'pga_jobagent' THEN
        kept := EXISTS (SELECT FROM pgagent.pga_job j JOIN pgagent_py.kept_run k ON k.jobid = j.jobid WHERE j.jobagentid = OLD.jagpid);
    ELSIF TG_TABLE_NAME = 'pga_job' THEN
        kept := EXISTS (SELECT FROM pgagent_py.kept_run k WHERE k.jobid = OLD.jobid);
    ELSIF TG_TABLE_NAME = 'pga_joblog' THEN
        kept := EXISTS (SELECT FROM pgagent_py.kept_run k WHERE k.jlgid = OLD.jlgid);
    ELSE
        kept := EXISTS (SELECT FROM pgagent_py.kept_run k WHERE k.jlgid = OLD.jsljlgid);
    END IF;
    RETURN CASE WHEN kept THEN NULL WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._keep_run() IS
'A C++ daemon that starts closes the runs of agents that are gone. Those that another agent will take over (kept_run) it leaves.';

{% call trigger("pga_jobagent_keep_run", "BEFORE DELETE", "pga_jobagent", "_keep_run") %}
an agent stays whose runs another one will take over.
{% endcall %}

{% call trigger("pga_job_keep_run", "BEFORE UPDATE", "pga_job", "_keep_run",
    when="OLD.jobagentid IS NOT NULL AND NEW.jobagentid IS NULL AND " ~ not_in_turn) %}
a job stays claimed whose run another agent will take over.
{% endcall %}
{% call trigger("pga_joblog_keep_run", "BEFORE UPDATE", "pga_joblog", "_keep_run",
    when="OLD.jlgstatus = 'r' AND NEW.jlgstatus = 'd'") %}
a run goes on that another agent will take over.
{% endcall %}
{% call trigger("pga_jobsteplog_keep_run", "BEFORE UPDATE", "pga_jobsteplog", "_keep_run",
    when="OLD.jslstatus = 'r' AND NEW.jslstatus = 'd'") %}
a step goes on whose run another agent will take over.
{% endcall %}
