# A throwaway server for the demos: source this. It sets PG* for psql, and `directory`, which goes at the end with the server.
PATH=$("${PG_CONFIG:-pg_config}" --bindir):$PATH
directory=$(mktemp -d)
launcher=
page=

stop_all() {
    local status=$?
    trap '' INT TERM
    for process in $page $launcher; do
        kill "$process" 2>/dev/null || true
        wait "$process" || true
    done
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

free_port() { python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

new_password() { python -c 'import secrets; print(secrets.token_hex(16))'; }

# Make and start the server, with the extension in the database demo.
start_server() {
    local password
    port=$(free_port)
    password=$(new_password)
    export PGPASSFILE=$directory/pgpass PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres PSQLRC=/dev/null
    (umask 077 && echo "*:*:*:*:$password" > "$PGPASSFILE" && echo "$password" > "$directory/password")
    initdb --pgdata="$directory/data" --username=postgres --auth=scram-sha-256 --pwfile="$directory/password" \
        --locale=C.UTF-8 --encoding=UTF8 --no-sync > "$directory/initdb.log"
    pg_ctl start --silent --wait -D "$directory/data" -l "$directory/server.log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$directory' -c fsync=off"
    psql -qAtc 'SELECT version()'
    psql -qc 'CREATE DATABASE demo'
    export PGDATABASE=demo
    psql -qv ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION pgagent_py CASCADE'
}

start_launcher() {
    pgagent-py "hostaddr=127.0.0.1 port=$port dbname=demo user=postgres" 2> "$directory/launcher.log" &
    launcher=$!
}
