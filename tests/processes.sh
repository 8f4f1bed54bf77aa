# Processes that are known by when they started (a pid is given again to others), and free ports. Sourced by
# what starts servers for tests, which has say, die and stop_seconds_max.

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

# A test may have left it stopped, and then it does not see SIGTERM.
end_process() {
  alive "$1" "$2" || return 0
  kill -TERM "$1" 2>/dev/null || true
  kill -CONT "$1" 2>/dev/null || true
  alive_for "$1" "$2" "$stop_seconds_max" || return 0
  say "pid $1 did not end in $stop_seconds_max s, killing it"
  kill -KILL "$1" 2>/dev/null || true
  ! alive_for "$1" "$2" 5 || die "pid $1 survives SIGKILL"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port [TAKEN...]: below the range from which systems take the ports of
# outgoing connections.
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((16000 + (RANDOM * 32768 + RANDOM) % 16000))
    if [[ " $* " != *" $port "* ]] && ! listening "$port"; then
      echo "$port"
      return
    fi
  done
  die "no free port found"
}
