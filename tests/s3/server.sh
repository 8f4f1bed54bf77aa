#!/usr/bin/env bash
# One real S3-compatible server for the tests: MinIO with one drive, on
# loopback only, plain http, path-style requests, region us-east-1.
#
#   server.sh start DIR [PORT]   prints http://127.0.0.1:PORT when it answers
#   server.sh stop DIR           SIGTERM, SIGKILL after 20 s
#   server.sh bucket DIR NAME    makes a bucket, if it is not there
#   server.sh credentials        prints the access key and the secret, for tests only
#   server.sh install            builds the server, if it is not there; prints its path
#
# Two things differ from Amazon's: a listing by delimiter still has the folders
# whose keys were all deleted, and a key that is also the folder of other keys
# hides them from listings.
#
# DIR keeps everything, so that a second start has the data and the port of
# the first:
#   data/          the buckets
#   address        http://127.0.0.1:PORT, as printed
#   server.pid     the pid of the server alone, to kill -9 and kill -STOP in tests
#   server.state   who runs, with start times: a reused pid is not ours
#   server.log     appended to by every start
#
# No server outlives its test: the supervisor ends it when the process
# CUSTODY_S3_PARENT_PID is gone, and after CUSTODY_S3_SECONDS_MAX (3600) in any
# case.
#
# Standard output is the answer, everything else is on standard error.
# Exit codes: 0 done; 1 failed; 2 called wrongly; 77 skipped, tools are missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
start_seconds_max=90
stop_seconds_max=20
# Chosen because it alone passed conformance.py: SeaweedFS 4.48 lists in another
# order and lets two conditional completions win; versitygw 1.8.0 answers 409 to
# many a put beside a delete in one folder or, with versioning, refuses a create
# of what was deleted. This is MinIO's last version (February 2026). Its licence
# (AGPL) binds nobody here: it is run, never linked or shipped.
version=v0.0.0-20260212201848-7aac2a2c5b7c
access=custody-test
secret=custody-test-secret

say() { echo "server.sh: $*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}" >&2; exit 2; }
skip() { say "skipped: go 1.24 and python3 are needed for the real-S3 tests ($*)"; exit 77; }

# --- tools -------------------------------------------------------------------

find_python() { command -v python3 >/dev/null || skip "no python3"; }

# Built from source, because only the Go module proxy is asked for it. The file
# appears under its final name in one rename, so a broken build is never used.
find_server() {
  local cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/custody-s3
  server=$cache/minio-$version
  [ ! -x "$server" ] || return 0
  command -v go >/dev/null || skip "no go"
  local minor
  minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 24 ] || skip "go is $(go env GOVERSION)"
  mkdir -p "$cache"
  # Tests start beside each other: one builds, the others wait for it.
  exec 9>"$cache/lock"
  ! command -v flock >/dev/null || flock 9
  [ -x "$server" ] || build "$cache"
  exec 9>&-
}

build() { # CACHE
  local fresh
  say "building MinIO $version, once, into $server (some minutes)"
  fresh=$(mktemp -d "$1/fresh.XXXXXX")
  if ! GOBIN=$fresh GOFLAGS=-trimpath GOOS='' GOARCH='' CGO_ENABLED=0 \
      go install -ldflags '-s -w' "github.com/minio/minio@$version" >"$1/go.log" 2>&1 </dev/null; then
    rm -rf "$fresh"
    tail -n 20 "$1/go.log" >&2
    die "go could not build MinIO"
  fi
  mv "$fresh/minio" "$server"
  rm -rf "$fresh"
}

# --- processes ---------------------------------------------------------------

# shellcheck source=../processes.sh
source "$here/../processes.sh"

# Sets what server.state says; empty values if no server was started.
read_state() {
  pid='' pid_born='' supervisor='' supervisor_born=''
  [ ! -f "$dir/server.state" ] ||
    read -r pid pid_born supervisor supervisor_born <"$dir/server.state"
}

# Runs in the background as the parent of the server, and ends it in time. The
# server gets no variable of the caller: MINIO_ and proxy ones would steer it.
# Without its certificate folder, those of the user would turn on https.
supervise() { # PORT
  local me=$BASHPID end=$((SECONDS + seconds_max)) why=''
  env -i "PATH=$PATH" "HOME=$dir" "MINIO_ROOT_USER=$access" "MINIO_ROOT_PASSWORD=$secret" \
    MINIO_BROWSER=off MINIO_UPDATE=off MINIO_REGION=us-east-1 MINIO_MEMLIMIT=512MiB \
    "$server" server --certs-dir "$dir/certs" --address "127.0.0.1:$1" "$dir/data" &
  pid=$!
  pid_born=$(born "$pid")
  echo "$pid" >"$dir/server.pid"
  echo "$pid $pid_born $me $(born "$me")" >"$dir/server.state.new"
  mv "$dir/server.state.new" "$dir/server.state"
  while alive "$pid" "$pid_born"; do
    if [ "$SECONDS" -ge "$end" ]; then
      why="$seconds_max s are over"
    elif [ -n "$parent" ] && ! alive "$parent" "$parent_born"; then
      why="process $parent has ended"
    fi
    if [ -n "$why" ]; then
      say "$why, stopping the server"
      end_process "$pid" "$pid_born"
    fi
    sleep 0.3
  done
  wait "$pid" || say "the server ended with code $?"
}

# Is a MinIO ready to answer requests?
answers() {
  local reply
  reply=$(
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET /minio/health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
    head -c 1000 <&3 | tr -d '\0'
  ) || return 1
  [[ $reply == 'HTTP/1.1 200'* && $reply == *'Server: MinIO'* ]]
}

# MinIO shares its port with any other that asks for it at the same moment, and
# each would get half of the requests.
shared() {
  [ -r /proc/net/tcp ] || return 1
  local count
  count=$(awk -v at="0100007F:$(printf %04X "$1")" '$2 == at && $4 == "0A"' /proc/net/tcp | wc -l)
  [ "$count" -gt 1 ]
}

# --- commands ----------------------------------------------------------------

# Returns 1 when the server ended before it was ready, 2 when its port was taken.
launch() { # PORT
  local log_from end=$((SECONDS + start_seconds_max))
  log_from=$(($(wc -c <"$dir/server.log") + 1))
  rm -f "$dir/server.state" "$dir/server.pid"
  # Own process group: a Ctrl-C at the test does not reach the server before
  # the supervisor sees the test gone. No file of the caller stays open.
  set -m
  supervise "$1" >>"$dir/server.log" 2>&1 </dev/null &
  set +m
  local group=$!
  trap 'kill -KILL -- "-$group" 2>/dev/null; die interrupted' INT TERM HUP
  until [ -f "$dir/server.state" ]; do
    kill -0 "$group" 2>/dev/null || return 1
    sleep 0.05
  done
  read_state
  until answers "$1"; do
    if ! alive "$pid" "$pid_born"; then
      wait "$group" || true
      ! tail -c "+$log_from" "$dir/server.log" | grep 'port is already in use' >/dev/null || return 2
      return 1
    fi
    if [ "$SECONDS" -ge "$end" ]; then
      kill -KILL -- "-$group" 2>/dev/null || true
      say "not ready after $start_seconds_max s"
      return 1
    fi
    sleep 0.05
  done
  if ! alive "$pid" "$pid_born" || shared "$1"; then
    kill -KILL -- "-$group" 2>/dev/null || true
    return 2
  fi
  trap - INT TERM HUP
}

start() {
  local wanted=${1:-} port try status
  [[ $wanted =~ ^[0-9]*$ ]] || usage
  parent=${CUSTODY_S3_PARENT_PID:-} parent_born='' seconds_max=${CUSTODY_S3_SECONDS_MAX:-3600}
  if [ -n "$parent" ]; then
    parent_born=$(born "$parent")
    [ -n "$parent_born" ] || die "CUSTODY_S3_PARENT_PID $parent is not running"
  fi
  find_python
  find_server
  mkdir -p "$dir/data"
  dir=$(cd "$dir" && pwd)
  touch "$dir/server.log"
  read_state
  ! alive "$pid" "$pid_born" || die "already running as $pid at $(cat "$dir/address")"
  [ -z "$wanted" ] || ! listening "$wanted" || die "port $wanted is taken"

  # A restart comes back where its clients look for it, if it can.
  port=$wanted
  [ -n "$port" ] || [ ! -f "$dir/address" ] || port=$(sed 's/.*://' "$dir/address")
  for try in 1 2 3; do
    [ -n "$wanted" ] || { [ -n "$port" ] && ! listening "$port"; } || port=$(free_port)
    status=0
    launch "$port" || status=$?
    if [ "$status" -eq 0 ]; then
      echo "http://127.0.0.1:$port" | tee "$dir/address"
      return
    fi
    # Someone took the port between the look and the bind: choose again.
    [ "$status" -eq 2 ] || break
    say "port $port was taken meanwhile (try $try)"
    [ -n "$wanted" ] || port=''
  done
  tail -n 30 "$dir/server.log" >&2
  die "the server did not start, see $dir/server.log"
}

stop() {
  read_state
  end_process "$pid" "$pid_born"
  # The supervisor sees that and ends by itself.
  if alive_for "$supervisor" "$supervisor_born" 5; then
    kill -KILL -- "-$supervisor" 2>/dev/null || true
  fi
  rm -f "$dir/server.state" "$dir/server.pid"
}

# In a plain bucket MinIO removes a folder with its last key, and a put into it
# at that moment is now and then answered 403 (1 of 5,000 in a race made for it).
# With versioning suspended a delete leaves a marker, so the folder stays, and no
# old version is kept.
bucket() { # NAME
  read_state
  alive "$pid" "$pid_born" && [ -f "$dir/address" ] || die "no server runs in $dir"
  find_python
  python3 -B "$here/client.py" "$(cat "$dir/address")" "$access" "$secret" "$1" suspended >&2 ||
    die "could not make bucket $1"
}

command=${1:-}
dir=${2:-}
case $command in
  credentials) [ $# -eq 1 ] || usage; echo "$access $secret"; exit ;;
  install) [ $# -eq 1 ] || usage; find_server; echo "$server"; exit ;;
esac
[ -n "$command" ] && [ -n "$dir" ] || usage
shift 2
case $command in
  start) [ $# -le 1 ] || usage; start "$@" ;;
  stop) [ $# -eq 0 ] || usage; stop ;;
  bucket) [ $# -eq 1 ] || usage; bucket "$1" ;;
  *) usage ;;
esac
