#!/usr/bin/env bash
# One real Kafka broker for the tests: KRaft, broker and controller in one
# process, on 127.0.0.1 only.
#
#   broker.sh start DIR [PORT]                   prints 127.0.0.1:PORT when it answers
#   broker.sh stop DIR                           SIGTERM, SIGKILL after 20 s
#   broker.sh topic DIR NAME PARTITIONS [k=v...] creates a topic
#   broker.sh watermarks DIR TOPIC [earliest]    prints partition:end-offset (or the low one)
#   broker.sh tool CLASS ARG...                  runs any Kafka command class
#
# DIR keeps everything, so that a second start has the data, cluster id and
# ports of the first:
#   data/ server.properties   the storage and how it was configured
#   extra.properties          written by the caller, if at all: added to the above
#   address                   127.0.0.1:PORT, as printed
#   broker.pid                the pid of the Java process alone, to kill -9 in tests
#   broker.state              who runs, with start times: a reused pid is not ours
#   broker.log                appended to by every start
#
# No broker outlives its test: the supervisor ends it when the process
# CUSTODY_BROKER_PARENT_PID is gone, and after CUSTODY_BROKER_SECONDS_MAX
# (3600) in any case.
#
# Standard output is the answer, everything else is on standard error.
# Exit codes: 0 done; 1 failed; 2 called wrongly; 77 skipped, tools are missing.
set -euo pipefail

# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
heap=(-Xms128m -Xmx512m)

configure() { # BROKER_PORT CONTROLLER_PORT
  properties 1 "1@127.0.0.1:$2" "$1" "$2" 1 1 >"$dir/server.properties"
  [ ! -f "$dir/extra.properties" ] || cat "$dir/extra.properties" >>"$dir/server.properties"
}

start() {
  local wanted=${1:-} port controller try ports
  [[ $wanted =~ ^[0-9]*$ ]] || usage
  find_parent
  find_tools
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  touch "$dir/broker.log"
  read_state
  ! alive "$broker" "$broker_born" || die "already running as $broker at $(cat "$dir/address")"

  [ -z "$wanted" ] || ! listening "$wanted" || die "port $wanted is taken"

  # A restart comes back where its clients look for it, if it can.
  port=${wanted} controller=''
  if [ -f "$dir/server.properties" ]; then
    ports=$(sed -n 's/^listeners=.*:\([0-9]*\),.*:\([0-9]*\)$/\1 \2/p' "$dir/server.properties")
    port=${wanted:-${ports% *}} controller=${ports#* }
  fi
  for try in 1 2 3; do
    [ -n "$wanted" ] || { [ -n "$port" ] && ! listening "$port"; } || port=$(free_port)
    { [ -n "$controller" ] && [ "$controller" != "$port" ] && ! listening "$controller"; } ||
      controller=$(free_port "$port")
    configure "$port" "$controller"
    format "$(cluster_id)"
    if launch "$port"; then
      echo "127.0.0.1:$port" | tee "$dir/address"
      return
    fi
    # Someone took a port between the look and the bind: choose again.
    tail -n 40 "$dir/broker.log" | grep 'Address already in use' >/dev/null || break
    say "a port was taken meanwhile (try $try)"
    controller=''
    [ -n "$wanted" ] || port=''
  done
  tail -n 30 "$dir/broker.log" >&2
  die "the broker did not start, see $dir/broker.log"
}

address() {
  read_state
  alive "$broker" "$broker_born" && [ -f "$dir/address" ] || die "no broker runs in $dir"
  cat "$dir/address"
}

topic() { # NAME PARTITIONS [k=v...]
  local at name=$1 partitions=$2
  shift 2
  at=$(address)
  find_tools
  create_topic "$at" "$name" "$partitions" 1 "$@"
}

watermarks() { # TOPIC [earliest]
  local at
  at=$(address)
  find_tools
  offsets "$at" "$@"
}

command=${1:-}
dir=${2:-}
[ -n "$command" ] && [ -n "$dir" ] || usage
shift 2
case $command in
  start) [ $# -le 1 ] || usage; start "$@" ;;
  stop) [ $# -eq 0 ] || usage; end_broker ;;
  topic) [ $# -ge 2 ] || usage; topic "$@" ;;
  watermarks) [ $# -ge 1 ] && [ $# -le 2 ] || usage; watermarks "$@" ;;
  tool) find_tools; tool "$dir" "$@" ;;
  *) usage ;;
esac
