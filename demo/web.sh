#!/bin/bash
# The web page of pgagentctl on a throwaway server with a week of made-up history, until Ctrl-C.
# Needs the extension, pgagent-py and pgagentctl: `make demo-web` sees to all.
set -euo pipefail
cd "$(dirname "$0")"
. ./server.sh

say "A PostgreSQL server of our own, with the extension"
start_server
page_password=$(new_password)
psql -qv ON_ERROR_STOP=1 <<SQL
CREATE ROLE demo LOGIN PASSWORD '$page_password';
GRANT USAGE ON SCHEMA pgagent TO demo;
GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO demo;
GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO demo;
SQL

say "A week of history, and a launcher that goes on with it"
psql -qv ON_ERROR_STOP=1 -o /dev/null -f week.sql
psql -qAtc "SELECT count(*) || ' runs of ' || count(DISTINCT jlgjobid) || ' jobs' FROM pgagent.pga_joblog"
start_launcher

listen=${LISTEN:-127.0.0.1:$(free_port)}
say "Open http://$listen/ and log in as demo, password $page_password. Ctrl-C ends it."
pgagentctl -d "host=127.0.0.1 port=$port dbname=demo" web --listen "$listen" &
page=$!
wait $page
