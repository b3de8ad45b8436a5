#!/bin/bash
# pgagent_py at work on a throwaway server: two jobs, one launcher, the history of their runs.
# Needs the extension installed and pgagent-py on the PATH: `make demo` sees to both.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$("${PG_CONFIG:-pg_config}" --bindir):$PATH
directory=$(mktemp -d)
launcher=

stop_all() {
    local status=$?
    trap '' INT TERM
    if [ -n "$launcher" ]; then
        kill "$launcher" 2>/dev/null || true
        wait "$launcher" || true
    fi
    [ ! -f "$directory/data/postmaster.pid" ] || pg_ctl stop --silent -m fast -D "$directory/data" || true
    case $status in
        0 | 130 | 143) ;;
        *)
            echo "the demo failed (status $status)" >&2
            tail -n 20 "$directory"/{server,launcher}.log >&2 || true
            ;;
    esac
    rm -rf "$directory"
    exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }

say "A PostgreSQL server of our own"
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
password=$(python -c 'import secrets; print(secrets.token_hex(16))')
export PGPASSFILE=$directory/pgpass PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres
(umask 077 && echo "*:*:*:*:$password" > "$PGPASSFILE" && echo "$password" > "$directory/password")
initdb --pgdata="$directory/data" --username=postgres --auth=scram-sha-256 --pwfile="$directory/password" \
    --locale=C.UTF-8 --encoding=UTF8 --no-sync > "$directory/initdb.log"
pg_ctl start --silent --wait -D "$directory/data" -l "$directory/server.log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$directory' -c fsync=off"
psql -qAtc 'SELECT version()'

say "The extension and two jobs"
psql -qc 'CREATE DATABASE demo'
export PGDATABASE=demo PSQLRC=/dev/null
psql -qv ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION pgagent_py CASCADE'
psql -qv ON_ERROR_STOP=1 -o /dev/null -f jobs.sql
psql -c "SELECT jobid, jobname, jobenabled, jobnextrun FROM pgagent.pga_job ORDER BY jobid"

say "Run now, as pgAdmin's menu does it, and the launcher"
psql -c "UPDATE pgagent.pga_job SET jobnextrun = now()"
pgagent-py "hostaddr=127.0.0.1 port=$port dbname=demo user=postgres" 2> "$directory/launcher.log" &
launcher=$!
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
