#!/bin/sh
# start_microservices.sh [start|stop|status]: runs Redis and the four services as processes of this machine.
# Settings come from the environment, then from `.env` here in the project; logs go to logs/, process ids to run/.
set -eu
cd "$(dirname "$0")/../.."

if [ -f .env ]; then
  while IFS='=' read -r name value; do
    case $name in '' | *[!A-Za-z0-9_]*) continue ;; esac
    eval "[ -n \"\${$name+set}\" ]" || export "$name=$value"
  done <.env
fi
export REDIS_HOST="${REDIS_HOST:-localhost}" REDIS_PORT="${REDIS_PORT:-6379}"
export AUTH_SERVICE_PORT="${AUTH_SERVICE_PORT:-5001}" AGENT_SERVICE_PORT="${AGENT_SERVICE_PORT:-5002}"
export RAG_SERVICE_PORT="${RAG_SERVICE_PORT:-5003}" GATEWAY_PORT="${GATEWAY_PORT:-5000}"
export AUTH_SERVICE_URL="${AUTH_SERVICE_URL:-http://localhost:$AUTH_SERVICE_PORT}"
export AGENT_SERVICE_URL="${AGENT_SERVICE_URL:-http://localhost:$AGENT_SERVICE_PORT}"
export RAG_SERVICE_URL="${RAG_SERVICE_URL:-http://localhost:$RAG_SERVICE_PORT}"
PYTHON="${PYTHON:-python3}" REDIS_SERVER="${REDIS_SERVER:-redis-server}"
services="auth agent rag gateway"

generated() { # NAME: a secret of this machine, made on first use
  mkdir -p run
  [ -s "run/$1" ] || (umask 077; od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"run/$1")
  cat "run/$1"
}

log_of() { if [ "$1" = gateway ]; then echo logs/gateway.log; else echo "logs/$1_service.log"; fi; }

port_of() {
  case $1 in redis) echo "$REDIS_PORT" ;; auth) echo "$AUTH_SERVICE_PORT" ;; agent) echo "$AGENT_SERVICE_PORT" ;;
  rag) echo "$RAG_SERVICE_PORT" ;; gateway) echo "$GATEWAY_PORT" ;; esac
}

alive() { [ -s "run/$1.pid" ] && kill -0 "$(cat "run/$1.pid")" 2>/dev/null; }

name_of() { if [ "$1" = gateway ]; then echo gateway; else echo "$1-service"; fi; }

answers() { # NAME: whether the process that we started runs, and what listens on its port says that it is it
  alive "$1" || return 1
  if [ "$1" = redis ]; then
    "$PYTHON" -c "
import socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1) as connection:
    connection.sendall(b'PING\\r\\n')
    sys.exit(not connection.recv(5).startswith(b'+PONG'))" "$(port_of "$1")" 2>/dev/null
  else
    "$PYTHON" -c "
import json, sys, urllib.request
answer = urllib.request.urlopen(f'http://127.0.0.1:{sys.argv[1]}/health', timeout=2)
sys.exit(json.load(answer)['service'] != sys.argv[2])" "$(port_of "$1")" "$(name_of "$1")" 2>/dev/null
  fi
}

wait_for() { # NAME LOG
  for _ in $(seq 100); do
    answers "$1" && return 0
    alive "$1" || break
    sleep 0.1
  done
  echo "$1 does not answer on port $(port_of "$1"); the end of $2:" >&2
  tail -n 5 "$2" >&2
  return 1
}

start() {
  mkdir -p logs run
  export SECRET_KEY="${SECRET_KEY:-$(generated secret.key)}" JWT_SECRET_KEY="${JWT_SECRET_KEY:-$(generated jwt.key)}"
  failed=0
  if ! alive redis; then
    nohup "$REDIS_SERVER" --bind 127.0.0.1 --port "$REDIS_PORT" --save '' >logs/redis.log 2>&1 &
    echo $! >run/redis.pid
  fi
  wait_for redis logs/redis.log || failed=1
  for service in ${*:-$services}; do
    alive "$service" && continue
    nohup "$PYTHON" -m "backend.services.$service.app" >"$(log_of "$service")" 2>&1 &
    echo $! >"run/$service.pid"
  done
  for service in ${*:-$services}; do
    if wait_for "$service" "$(log_of "$service")"; then
      echo "$service listens on port $(port_of "$service")"
    else
      failed=1
    fi
  done
  return $failed
}

stop() {
  for name in ${*:-gateway rag agent auth redis}; do
    if alive "$name"; then kill "$(cat "run/$name.pid")"; fi
    rm -f "run/$name.pid"
  done
}

status() {
  for name in redis $services; do
    if answers "$name"; then echo "$name runs on port $(port_of "$name")"; else echo "$name does not run"; fi
  done
}

action="${1:-start}"
[ $# -eq 0 ] || shift
case $action in
start | stop) "$action" "$@" ;;
status) status ;;
*) echo "usage: $0 [start|stop] [service ...] | status" >&2; exit 2 ;;
esac
