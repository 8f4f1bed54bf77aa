# What broker.sh and cluster.sh have in common: tools, processes, ports, and one
# broker in the folder $dir. Sourced, never run; it sets no shell options.
#
# Whoever starts brokers says first, with these variables:
#   parent, parent_born   the process whose end ends them, or empty
#   seconds_max           how long they run at most
#   heap                  the memory options of their JVM

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
start_seconds_max=90
stop_seconds_max=20

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }
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

# shellcheck source=../processes.sh
source "$here/../processes.sh"

# Sets what broker.state says; empty values if no broker was started.
read_state() {
  broker='' broker_born='' supervisor='' supervisor_born=''
  [ ! -f "$dir/broker.state" ] ||
    read -r broker broker_born supervisor supervisor_born <"$dir/broker.state"
}

# Runs in the background as the parent of the broker, and ends it in time.
supervise() {
  local me=$BASHPID end=$((SECONDS + seconds_max)) why=''
  "$java" "${java_args[@]}" -Dcustody.log.level=INFO "${heap[@]}" \
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

# --- one broker --------------------------------------------------------------

# properties NODE VOTERS BROKER_PORT CONTROLLER_PORT REPLICAS REPLICAS_MIN: what
# server.properties says of a broker in $dir.
properties() {
  cat <<EOF
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$2
listeners=PLAINTEXT://127.0.0.1:$3,CONTROLLER://127.0.0.1:$4
advertised.listeners=PLAINTEXT://127.0.0.1:$3
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=$5
min.insync.replicas=$6
offsets.topic.replication.factor=$5
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=$5
transaction.state.log.min.isr=$6
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=$5
share.coordinator.state.topic.min.isr=$6
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
}

cluster_id() {
  local id
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
  # The first character must not look like an option.
  echo "A${id:1}"
}

# format CLUSTER_ID: brokers of one cluster have the same.
format() {
  [ ! -f "$dir/data/meta.properties" ] || return 0
  tool kafka.tools.StorageTool format -t "$1" -c "$dir/server.properties" >>"$dir/broker.log" 2>&1 ||
    { tail -n 20 "$dir/broker.log" >&2; die "could not format $dir/data"; }
}

# launch BROKER_PORT: returns 1 when the broker ended before it was ready.
launch() {
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

# Whose end ends the brokers, and when they end in any case.
find_parent() {
  parent=${CUSTODY_BROKER_PARENT_PID:-} parent_born='' seconds_max=${CUSTODY_BROKER_SECONDS_MAX:-3600}
  [ -n "$parent" ] || return 0
  parent_born=$(born "$parent")
  [ -n "$parent_born" ] || die "CUSTODY_BROKER_PARENT_PID $parent is not running"
}

# Ends the broker and, soon after it, its supervisor.
end_broker() {
  read_state
  end_process "$broker" "$broker_born"
  if alive_for "$supervisor" "$supervisor_born" 5; then
    kill -KILL -- "-$supervisor" 2>/dev/null || true
  fi
  rm -f "$dir/broker.state" "$dir/broker.pid"
}

# --- topics ------------------------------------------------------------------

# create_topic BROKERS NAME PARTITIONS REPLICAS [k=v...]
create_topic() {
  local at=$1 name=$2 partitions=$3 replicas=$4 setting args=()
  shift 4
  for setting in "$@"; do args+=(--config "$setting"); done
  tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$at" --create \
    --topic "$name" --partitions "$partitions" --replication-factor "$replicas" ${args[@]+"${args[@]}"} >&2
}

# offsets BROKERS TOPIC [earliest]: the class takes a pattern for the topic, so
# only the lines of this one count.
offsets() {
  tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$1" \
    --topic "$2" --time "${3:-latest}" |
    awk -F: -v topic="$2" '$1 == topic { print $2 ":" $3; n++ } END { exit n == 0 }' ||
    die "no offsets of topic $2"
}
