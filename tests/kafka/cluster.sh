#!/usr/bin/env bash
# Three real Kafka brokers for the tests that kill them: KRaft, each of them
# broker and controller, on 127.0.0.1 only. Topics have three replicas, two of
# which must have a record before it is acknowledged. Sessions are short: another
# broker leads some three seconds after one is gone.
#
#   cluster.sh start DIR                          prints host:port,host:port,host:port when all answer
#   cluster.sh stop DIR                           SIGTERM to all, SIGKILL after 20 s
#   cluster.sh topic DIR NAME PARTITIONS [k=v...] creates a topic
#   cluster.sh delete-topic DIR NAME              asks for its deletion, which takes a moment more
#   cluster.sh leader DIR TOPIC PARTITION         prints the node (1, 2 or 3) that leads it
#   cluster.sh watermarks DIR TOPIC [earliest]    prints partition:end-offset (or the low one)
#   cluster.sh kill DIR NODE                      SIGKILL
#   cluster.sh pause DIR NODE                     SIGSTOP: connections stay open, nothing answers
#   cluster.sh resume DIR NODE                    SIGCONT
#   cluster.sh restart DIR NODE                   SIGTERM if it runs, then starts it; returns when it answers
#
# DIR/1 to DIR/3 are what broker.sh keeps of one broker: data, server.properties,
# extra.properties, broker.pid, broker.state, broker.log. DIR/address is the list
# as printed. The three need about 1.1 GB of memory.
#
# No broker outlives its test: see broker.sh, the variables are the same.
#
# Standard output is the answer, everything else is on standard error.
# Exit codes: 0 done; 1 failed; 2 called wrongly; 77 skipped, tools are missing.
set -euo pipefail

# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
heap=(-Xms96m -Xmx192m)
nodes=(1 2 3)

# The settings of brokers that find out in seconds that one of them is gone.
configure() { # NODE VOTERS BROKER_PORT CONTROLLER_PORT
  {
    properties "$@" 3 2
    cat <<'EOF'
replica.lag.time.max.ms=3000
controller.quorum.election.timeout.ms=500
controller.quorum.election.backoff.max.ms=500
controller.quorum.fetch.timeout.ms=1500
controller.quorum.request.timeout.ms=1500
controller.socket.timeout.ms=1500
# Tests kill workers by the dozen: their sessions may be as short.
group.min.session.timeout.ms=1000
EOF
    [ ! -f "$dir/extra.properties" ] || cat "$dir/extra.properties"
  } >"$dir/server.properties"
}

configured_port() { sed -n 's/^listeners=[^:]*:[^:]*:\([0-9]*\),.*/\1/p' "$dir/server.properties"; }

# Chooses ports and writes every node's settings.
configure_all() {
  local node port voters='' ports=()
  for node in "${nodes[@]}" "${nodes[@]}"; do
    port=$(free_port ${ports[@]+"${ports[@]}"})
    ports+=("$port")
  done
  for node in "${nodes[@]}"; do voters+=",$node@127.0.0.1:${ports[node + 2]}"; done
  for node in "${nodes[@]}"; do
    dir=$root/$node
    configure "$node" "${voters#,}" "${ports[node - 1]}" "${ports[node + 2]}"
  done
}

# All at once: none is ready before two are.
launch_all() {
  local node pids=() failed=0
  for node in "${nodes[@]}"; do
    dir=$root/$node
    { format "$1" && launch "$(configured_port)"; } &
    pids+=($!)
  done
  for node in "${nodes[@]}"; do wait "${pids[node - 1]}" || failed=1; done
  return $failed
}

running() { # NODE
  dir=$root/$1
  read_state
  alive "$broker" "$broker_born"
}

start() {
  local node try id address=''
  find_parent
  find_tools
  for node in "${nodes[@]}"; do
    mkdir -p "$root/$node"
    touch "$root/$node/broker.log"
    ! running "$node" || die "node $node is already running as $broker"
  done
  root=$(cd "$root" && pwd)
  id=$(cluster_id)
  for try in 1 2 3; do
    # A restart comes back where its clients look for it.
    [ "$try" -eq 1 ] && [ -f "$root/3/server.properties" ] || configure_all
    if launch_all "$id"; then
      for node in "${nodes[@]}"; do
        dir=$root/$node
        address+=",127.0.0.1:$(configured_port)"
      done
      echo "${address#,}" | tee "$root/address"
      return
    fi
    stop_all
    # Someone took a port between the look and the bind: choose again.
    tail -n 60 "$root"/?/broker.log | grep 'Address already in use' >/dev/null || break
    say "a port was taken meanwhile (try $try)"
  done
  tail -n 30 "$root"/?/broker.log >&2
  die "the brokers did not start, see $root/1/broker.log"
}

stop_all() {
  local node pids=()
  for node in "${nodes[@]}"; do
    ! running "$node" || kill -CONT "$broker" 2>/dev/null || true
    end_broker &
    pids+=($!)
  done
  wait "${pids[@]}"
}

# The tool's classes ask whichever of them answers.
address() {
  [ -f "$root/address" ] || die "no cluster runs in $root"
  cat "$root/address"
}

leader() { # TOPIC PARTITION
  local at
  at=$(address)
  find_tools
  tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$at" --describe --topic "$1" |
    awk -v partition="$2" '
      { for (i = 1; i < NF; i++) { if ($i == "Partition:") p = $(i + 1); if ($i == "Leader:") l = $(i + 1) } }
      p == partition && l ~ /^[0-9]+$/ { print l; n++ }
      END { exit n == 0 }' || die "nobody leads partition $2 of $1"
}

delete_topic() { # NAME
  local at
  at=$(address)
  find_tools
  tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$at" --delete --topic "$1" >&2
}

topic() { # NAME PARTITIONS [k=v...]
  local at name=$1 partitions=$2
  shift 2
  at=$(address)
  find_tools
  create_topic "$at" "$name" "$partitions" 3 "$@"
}

watermarks() { # TOPIC [earliest]
  local at
  at=$(address)
  find_tools
  offsets "$at" "$@"
}

signal() { # SIGNAL NODE
  running "$2" || die "node $2 does not run"
  kill "-$1" "$broker"
  [ "$1" != KILL ] || ! alive_for "$broker" "$broker_born" 5 || die "pid $broker survives SIGKILL"
}

restart() { # NODE
  find_parent
  find_tools
  dir=$root/$1
  [ -f "$dir/server.properties" ] || die "no cluster was started in $root"
  end_broker
  launch "$(configured_port)" || { tail -n 30 "$dir/broker.log" >&2; die "node $1 did not start again"; }
}

command=${1:-}
root=${2:-}
[ -n "$command" ] && [ -n "$root" ] || usage
shift 2
case $command in
  start) [ $# -eq 0 ] || usage; start ;;
  stop) [ $# -eq 0 ] || usage; stop_all ;;
  topic) [ $# -ge 2 ] || usage; topic "$@" ;;
  delete-topic) [ $# -eq 1 ] || usage; delete_topic "$@" ;;
  leader) [ $# -eq 2 ] || usage; leader "$@" ;;
  watermarks) [ $# -ge 1 ] && [ $# -le 2 ] || usage; watermarks "$@" ;;
  kill | pause | resume | restart)
    [ $# -eq 1 ] && [[ $1 =~ ^[123]$ ]] || usage
    case $command in
      kill) signal KILL "$1" ;;
      pause) signal STOP "$1" ;;
      resume) signal CONT "$1" ;;
      restart) restart "$1" ;;
    esac ;;
  *) usage ;;
esac
