CREATE OR REPLACE FUNCTION pgagent_py._refuse_stale_claim() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_stale_claim() IS
'Leave a job alone that an agent claims although it is not due any more: the C++ daemon claims from a list that it read before, '
'and would run again what another agent has finished in between. It finds that it updated no row.';
