# A real slapd for tests: OpenLDAP's server, on loopback only, with Active Directory's attributes.
# Sourced by tests.sh, which has say, die and $work.
#
# It is the system's or, where there is none, Debian's package, unpacked in the user's cache folder: the
# system is not touched. No server outlives the script that started it.
# shellcheck shell=bash

stop_seconds_max=10
slapd_seconds_max=900

skip() { say "skipped: slapd is needed for the LDAP tests ($*)"; exit 77; }

# Sets $slapd, $slapd_modules and $slapd_schema, and the libraries' path.
find_slapd() {
  slapd=$(PATH="$PATH:/usr/sbin" command -v slapd || true) slapd_modules=/usr/lib/ldap slapd_schema=/etc/ldap/schema
  [ -z "$slapd" ] || [ ! -d "$slapd_modules" ] || [ ! -d "$slapd_schema" ] || return 0
  local cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/custody-ldap
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  ! command -v flock >/dev/null || flock 9
  [ -x "$cache/slapd/usr/sbin/slapd" ] || unpack "$cache"
  exec 9>&-
  slapd=$cache/slapd/usr/sbin/slapd
  slapd_modules=$cache/slapd/usr/lib/ldap slapd_schema=$cache/slapd/etc/ldap/schema
  LD_LIBRARY_PATH=$(find "$cache/slapd" -name '*.so.*' -exec dirname {} + | sort -u | paste -sd:)
  export LD_LIBRARY_PATH
  "$slapd" -VV 2>&1 | grep -q OpenLDAP || skip 'the unpacked one does not start'
}

# The folder gets its name in one rename, so a broken download is never used.
unpack() { # CACHE
  local fresh library libraries=()
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip 'neither installed nor a Debian system'
  # Those that the system has are used: another libc would not fit its loader.
  while read -r library; do
    dpkg -s "$library" >/dev/null 2>&1 || libraries+=("$library")
  done < <(apt-cache depends slapd 2>/dev/null | sed -n 's/^ *|\{0,1\}Depends: \(lib[^ ]*\)$/\1/p')
  fresh=$(mktemp -d "$1/fresh.XXXXXX")
  if ! (cd "$fresh" && apt-get download slapd "${libraries[@]}") >"$1/apt.log" 2>&1; then
    rm -rf "$fresh"
    skip "Debian's package cannot be had, see $1/apt.log"
  fi
  for library in "$fresh"/*.deb; do dpkg -x "$library" "$fresh/slapd"; done
  rm -rf "$1/slapd"
  mv "$fresh/slapd" "$1/slapd"
  rm -rf "$fresh"
}

# An authority, and a certificate of it for the name localhost, not for the address.
certificates() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=test authority' -keyout "$work/ca.key" \
    -out "$work/ca.pem" -addext 'basicConstraints=critical,CA:TRUE' 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$work/key.pem" -out "$work/request.pem" \
    2>/dev/null
  openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo 'subjectAltName=DNS:localhost') -out "$work/cert.pem" 2>/dev/null
  [ -s "$work/cert.pem" ] || die 'openssl made no certificate'
}

# The attributes that Active Directory has and OpenLDAP has not, under object ids for private use.
configuration() {
  cat <<CONF
include $slapd_schema/core.schema
include $slapd_schema/cosine.schema
include $slapd_schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.32473.1.2 NAME 'msRTCSIP-PrimaryUserAddress' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.3 NAME 'department' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.4 NAME 'employeeID' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.5 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32473.2.1 NAME 'adPerson' SUP top AUXILIARY MAY ( proxyAddresses \$ msRTCSIP-PrimaryUserAddress \$ department \$ employeeID \$ objectGUID ) )
modulepath $slapd_modules
moduleload back_mdb
pidfile $work/slapd.pid
TLSCACertificateFile $work/ca.pem
TLSCertificateFile $work/cert.pem
TLSCertificateKeyFile $work/key.pem
# A password that would cross the network in the clear is refused.
security simple_bind=1
database mdb
suffix dc=example,dc=com
rootdn cn=custody,dc=example,dc=com
rootpw right
directory $work/db
limits dn.exact="cn=limited,dc=example,dc=com" size.soft=2 size.hard=2 size.prtotal=2
access to attrs=userPassword by * auth
access to * by dn.exact="cn=limited,dc=example,dc=com" read by * none
CONF
}

# shellcheck source=../processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/../processes.sh"

# Ends the server when the script is gone, however it went.
supervise() { # SCRIPT BORN
  local end=$((SECONDS + slapd_seconds_max))
  "$slapd" -f "$work/slapd.conf" -h "ldap://127.0.0.1:$port ldaps://127.0.0.1:$tls_port" -d 0 &
  local pid=$!
  local pid_born
  pid_born=$(born "$pid")
  echo "$pid $pid_born" >"$work/slapd.state"
  while alive "$pid" "$pid_born"; do
    alive "$1" "$2" && [ "$SECONDS" -lt "$end" ] || end_process "$pid" "$pid_born"
    sleep 0.2
  done
}

# load: the directory holds what standard input says, and nothing else; the server is started anew.
load() {
  stop_server
  rm -rf "$work/db"
  mkdir -p "$work/db"
  configuration >"$work/slapd.conf"
  # slapadd is slapd under another name.
  "$slapd" -T add -q -f "$work/slapd.conf" >"$work/slapadd.log" 2>&1 || { cat "$work/slapadd.log" >&2; die 'slapadd failed'; }
  rm -f "$work/slapd.state"
  supervise "$$" "$(born "$$")" >>"$work/slapd.log" 2>&1 </dev/null &
  local end=$((SECONDS + 30))
  until [ -f "$work/slapd.state" ] && listening "$port" && listening "$tls_port"; do
    [ "$SECONDS" -lt "$end" ] || { cat "$work/slapd.log" >&2; die 'slapd does not answer'; }
    sleep 0.05
  done
}

stop_server() {
  [ -f "$work/slapd.state" ] || return 0
  local pid pid_born
  read -r pid pid_born <"$work/slapd.state"
  end_process "$pid" "$pid_born"
  rm -f "$work/slapd.state"
}
