#!/bin/bash
# pgagent_py at work on a throwaway server: two jobs, one launcher, the history of their runs.
# Needs the extension installed and pgagent-py on the PATH: `make demo` sees to both.
set -euo pipefail
cd "$(dirname "$0")"
. ./server.sh

say "A PostgreSQL server of our own, with the extension"
start_server

say "Two jobs"
psql -qv ON_ERROR_STOP=1 -o /dev/null -f jobs.sql
psql -c "SELECT jobid, jobname, jobenabled, jobnextrun FROM pgagent.pga_job ORDER BY jobid"

say "Run now, as pgAdmin's menu does it, and the launcher"
psql -c "UPDATE pgagent.pga_job SET jobnextrun = now()"
start_launcher
for _ in {1..600}; do
    [ "$(psql -qAtc "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus <> 'r'")" -lt 2 ] || break
    kill -0 "$launcher" || exit 1
    sleep 0.1
done

say "The history of their runs (status s: success; result: rows affected, or exit code)"
psql -f history.sql
psql -c "SELECT jobname, jlgstatus AS status, joblastrun, jobnextrun
         FROM pgagent.pga_job JOIN pgagent.pga_joblog ON jlgjobid = jobid ORDER BY jobid"
[ "$(psql -qAtc "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's'")" = 2 ]

kill "$launcher"
wait "$launcher"
launcher=
say "The launcher has stopped with status 0"
say "The web page: make demo-web, with a week of runs; for a database of yours, pgagentctl -d CONNINFO web"
