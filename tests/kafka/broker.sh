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

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
start_seconds_max=90
stop_seconds_max=20

say() { echo "broker.sh: $*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}" >&2; exit 2; }
skip() { say "skipped: java 17 and mvn are needed for the real-broker tests ($*)"; exit 77; }

# --- tools -------------------------------------------------------------------

find_java() {
  java=${JAVA_HOME:+$JAVA_HOME/bin/java}
  [ -n "$java" ] && [ -x "$java" ] || java=$(command -v java) || skip "no java"
  local major
  major=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${major:-0}" -ge 17 ] || skip "java is version ${major:-unknown}"
}

# The jars are kept per Kafka version and per content of pom.xml. They appear
# under their final name in one rename, so a broken download is never used.
find_jars() {
  local version sum cache fresh
  version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
  sum=$(cksum <"$here/pom.xml" | cut -d ' ' -f 1)
  cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/custody-kafka/$version
  jars=$cache/jars-$sum
  [ -d "$jars" ] && return
  command -v mvn >/dev/null || skip "no mvn"
  say "fetching Kafka $version, once, into $jars"
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/fresh.XXXXXX")
  if ! mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$fresh" >"$cache/mvn.log" 2>&1 </dev/null; then
    rm -rf "$fresh"
    tail -n 20 "$cache/mvn.log" >&2
    die "mvn could not bring the Kafka jars"
  fi
  # If another start was faster, mv puts ours inside the directory it made.
  mv "$fresh" "$jars"
  rm -rf "$jars/${fresh##*/}"
}

find_tools() {
  find_java
  find_jars
  java_args=(
    -cp "$jars/*" -Xshare:auto -XX:+UseSerialGC -XX:-UsePerfData
    -Djava.awt.headless=true "-Dlog4j2.configurationFile=$here/log4j2.properties"
    -Dlog4j2.disableJmx=true
  )
}

# Compiling little is what a process of one second needs.
tool() { "$java" "${java_args[@]}" -Xmx256m -XX:TieredStopAtLevel=1 "$@"; }

# --- processes ---------------------------------------------------------------

# When a process started, or nothing if it has ended; a zombie has ended.
born() {
  local stat
  if [ -d /proc/self ]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    set -- ${stat##*) }
    case $1 in Z | X) return 0 ;; esac
    echo "${20}"
  else
    ps -o stat=,lstart= -p "$1" 2>/dev/null | awk '$1 !~ /^Z/ { $1 = ""; gsub(/ /, "_"); print }'
  fi
}

# alive PID BORN: it still runs, and is the one we knew.
alive() { [ -n "$1" ] && [ -n "$2" ] && [ "$(born "$1")" = "$2" ]; }

# alive_for PID BORN SECONDS: whether it still runs after waiting that long.
alive_for() {
  local end=$((SECONDS + $3))
  while alive "$1" "$2"; do
    [ "$SECONDS" -lt "$end" ] || return 0
    sleep 0.1
  done
  return 1
}

end_process() {
  alive "$1" "$2" || return 0
  kill -TERM "$1" 2>/dev/null || true
  alive_for "$1" "$2" "$stop_seconds_max" || return 0
  say "pid $1 did not end in $stop_seconds_max s, killing it"
  kill -KILL "$1" 2>/dev/null || true
  ! alive_for "$1" "$2" 5 || die "pid $1 survives SIGKILL"
}

# Sets what broker.state says; empty values if no broker was started.
read_state() {
  broker='' broker_born='' supervisor='' supervisor_born=''
  [ ! -f "$dir/broker.state" ] ||
    read -r broker broker_born supervisor supervisor_born <"$dir/broker.state"
}

# Runs in the background as the parent of the broker, and ends it in time.
supervise() {
  local me=$BASHPID end=$((SECONDS + seconds_max)) why=''
  "$java" "${java_args[@]}" -Dcustody.log.level=INFO -Xms128m -Xmx512m \
    -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError ${CUSTODY_BROKER_JAVA_OPTS:-} \
    kafka.Kafka "$dir/server.properties" &
  broker=$!
  broker_born=$(born "$broker")
  echo "$broker" >"$dir/broker.pid"
  echo "$broker $broker_born $me $(born "$me")" >"$dir/broker.state.new"
  mv "$dir/broker.state.new" "$dir/broker.state"
  while alive "$broker" "$broker_born"; do
    if [ "$SECONDS" -ge "$end" ]; then
      why="$seconds_max s are over"
    elif [ -n "$parent" ] && ! alive "$parent" "$parent_born"; then
      why="process $parent has ended"
    fi
    if [ -n "$why" ]; then
      say "$why, stopping the broker"
      end_process "$broker" "$broker_born"
    fi
    sleep 0.3
  done
  wait "$broker" || say "the broker ended with code $?"
}

# --- ports -------------------------------------------------------------------

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range from which systems take the ports of outgoing connections.
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((16000 + (RANDOM * 32768 + RANDOM) % 16000))
    if [ "$port" != "${1:-}" ] && ! listening "$port"; then
      echo "$port"
      return
    fi
  done
  die "no free port found"
}

# An ApiVersions request, version 0: does a Kafka broker answer with our
# correlation id?
answers() {
  local reply
  reply=$(
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf '\0\0\0\012\0\022\0\0\0\0\0\07\377\377' >&3
    head -c 8 <&3 | od -An -tx1 | tr -d ' \n'
  ) 2>/dev/null || return 1
  [ "${reply:8:8}" = 00000007 ]
}

# --- commands ----------------------------------------------------------------

configure() { # BROKER_PORT CONTROLLER_PORT
  cat >"$dir/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
advertised.listeners=PLAINTEXT://127.0.0.1:$1
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# A killed broker may come back only when its old session is over: 3 s, not 9.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Test data carries timestamps of 2012: only a topic that asks loses by age.
log.retention.ms=-1
# Topics that do ask are cleaned in seconds.
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=500
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.threads=1
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=2
background.threads=2
EOF
  [ ! -f "$dir/extra.properties" ] || cat "$dir/extra.properties" >>"$dir/server.properties"
}

format() {
  [ ! -f "$dir/data/meta.properties" ] || return 0
  local id
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
  # The first character must not look like an option.
  tool kafka.tools.StorageTool format -t "A${id:1}" -c "$dir/server.properties" >>"$dir/broker.log" 2>&1 ||
    { tail -n 20 "$dir/broker.log" >&2; die "could not format $dir/data"; }
}

# Returns 1 when the broker ended before it was ready.
launch() { # BROKER_PORT
  local log_from end=$((SECONDS + start_seconds_max))
  log_from=$(($(wc -c <"$dir/broker.log") + 1))
  rm -f "$dir/broker.state" "$dir/broker.pid"
  # Own process group: a Ctrl-C at the test does not reach the broker before
  # the supervisor sees the test gone. No file of the caller stays open.
  set -m
  supervise >>"$dir/broker.log" 2>&1 </dev/null &
  set +m
  local group=$!
  trap 'kill -KILL -- "-$group" 2>/dev/null; die interrupted' INT TERM HUP
  until [ -f "$dir/broker.state" ]; do
    kill -0 "$group" 2>/dev/null || return 1
    sleep 0.05
  done
  read_state
  until tail -c "+$log_from" "$dir/broker.log" | grep 'Kafka Server started' >/dev/null && answers "$1"; do
    alive "$broker" "$broker_born" || { wait "$group" || true; return 1; }
    if [ "$SECONDS" -ge "$end" ]; then
      kill -KILL -- "-$group" 2>/dev/null || true
      say "not ready after $start_seconds_max s"
      return 1
    fi
    sleep 0.1
  done
  trap - INT TERM HUP
}

start() {
  local wanted=${1:-} port controller try ports
  [[ $wanted =~ ^[0-9]*$ ]] || usage
  parent=${CUSTODY_BROKER_PARENT_PID:-} parent_born='' seconds_max=${CUSTODY_BROKER_SECONDS_MAX:-3600}
  if [ -n "$parent" ]; then
    parent_born=$(born "$parent")
    [ -n "$parent_born" ] || die "CUSTODY_BROKER_PARENT_PID $parent is not running"
  fi
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
    format
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

stop() {
  read_state
  end_process "$broker" "$broker_born"
  # The supervisor sees that and ends by itself.
  if alive_for "$supervisor" "$supervisor_born" 5; then
    kill -KILL -- "-$supervisor" 2>/dev/null || true
  fi
  rm -f "$dir/broker.state" "$dir/broker.pid"
}

address() {
  read_state
  alive "$broker" "$broker_born" && [ -f "$dir/address" ] || die "no broker runs in $dir"
  cat "$dir/address"
}

topic() { # NAME PARTITIONS [k=v...]
  local at name=$1 partitions=$2 setting args=()
  shift 2
  for setting in "$@"; do args+=(--config "$setting"); done
  at=$(address)
  find_tools
  tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$at" --create \
    --topic "$name" --partitions "$partitions" --replication-factor 1 ${args[@]+"${args[@]}"} >&2
}

# The class takes a pattern for the topic, so only the lines of this one count.
watermarks() { # TOPIC [earliest]
  local at
  at=$(address)
  find_tools
  tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$at" \
    --topic "$1" --time "${2:-latest}" |
    awk -F: -v topic="$1" '$1 == topic { print $2 ":" $3; n++ } END { exit n == 0 }' ||
    die "no offsets of topic $1"
}

command=${1:-}
dir=${2:-}
[ -n "$command" ] && [ -n "$dir" ] || usage
shift 2
case $command in
  start) [ $# -le 1 ] || usage; start "$@" ;;
  stop) [ $# -eq 0 ] || usage; stop ;;
  topic) [ $# -ge 2 ] || usage; topic "$@" ;;
  watermarks) [ $# -ge 1 ] && [ $# -le 2 ] || usage; watermarks "$@" ;;
  tool) find_tools; tool "$dir" "$@" ;;
  *) usage ;;
esac
