{% from "macros/on_pgagent.j2" import not_in_turn, trigger %}
{% from "macros/plans.j2" import fixed_plans %}
CREATE OR REPLACE FUNCTION pgagent_py._note_origins() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    -- The daemon's threads log its runs. What a restore inserts has no living agent.
    INSERT INTO pgagent_py.run_origin (jlgdue, jlgid, jlgtrigger, jlgtriggeredby, jagstation)
    SELECT greatest(coalesce(o.jlgdue, j.jobnextrun, c.jlgstart), '0001-01-02Z'), c.jlgid,
           coalesce(o.jlgtrigger, CASE WHEN j.jobnextrun < (SELECT min(m.jaglogintime) FROM pgagent.pga_jobagent m)
                                       THEN 'b'::"char" ELSE 's' END), o.jlgtriggeredby, l.jagstation
      FROM changed c
      JOIN pgagent.pga_job j ON j.jobid = c.jlgjobid AND j.joblastrun <= c.jlgstart
      JOIN pgagent.pga_jobagent l ON l.jagpid = j.jobagentid
      LEFT JOIN pgagent_py.job_origin o ON o.jobid = j.jobid AND o.jobnextrun = j.jobnextrun
     WHERE c.jlgstatus = 'r' AND EXISTS (SELECT FROM pgagent_py.living_agent v WHERE v.jagpid = l.jagpid AND v.agent IS NULL)
        ON CONFLICT (jlgid) DO NOTHING;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_origins() IS
'The C++ daemon has started runs: note what has set them off, and which times they are for.';

{% call trigger("pgagent_py_note_origins", "AFTER INSERT", "pga_joblog", "_note_origins", for_each="STATEMENT",
    referencing="NEW TABLE AS changed", when=not_in_turn) %}
what has set runs off.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._note_success() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    -- Of each job its present run.
    INSERT INTO pgagent_py.job_due AS d (jobid, jobdue)
    SELECT DISTINCT ON (j.jobid) j.jobid, o.jlgdue
      FROM changed c
      JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[c.jlgjobid]) AND j.joblastrun <= c.jlgstart
      JOIN pgagent_py.run_origin o ON o.jlgid = ANY (ARRAY[c.jlgid])
     WHERE c.jlgstatus = 's' AND o.jlgtrigger <> 'n'
     ORDER BY j.jobid, c.jlgid DESC
        {{ python_constant("ground.vocabulary.NOTE_SUCCESS") | indent(8) }};
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_success() IS
'Runs of the C++ daemon have succeeded: note for which times.';

-- Its name comes after those of the triggers that tell of the run: they want the time of the success before.
{% call trigger("pgagent_py_succeeded", "AFTER UPDATE", "pga_joblog", "_note_success", for_each="STATEMENT",
    referencing="NEW TABLE AS changed", when=not_in_turn) %}
for which times runs have succeeded.
{% endcall %}

CREATE OR REPLACE FUNCTION pgagent_py._forget_origins() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
{% for setting in fixed_plans %}
SET {{ setting }}
{% endfor %}
AS $plpgsql$
BEGIN
    DELETE FROM pgagent_py.run_origin o USING gone WHERE o.jlgid = ANY (ARRAY[gone.jlgid]);
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._forget_origins() IS
'Runs were deleted from the log: what had set them off goes with them.';

{% call trigger("pgagent_py_forget_origins", "AFTER DELETE", "pga_joblog", "_forget_origins", for_each="STATEMENT",
    referencing="OLD TABLE AS gone") %}
what had set runs off goes with their log.
{% endcall %}
