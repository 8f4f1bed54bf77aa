#!/usr/bin/env bash
# `custody people sync-ldap` against a real directory. Exit code 77: skipped, with the reason.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)

say() { echo "ldap: $*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck source=server.sh
source "$here/server.sh"
trap 'stop_server; rm -rf "$work"' EXIT
for tool in openssl python3; do command -v "$tool" >/dev/null || skip "no $tool"; done
find_slapd
certificates
port=$(free_port)
tls_port=$(free_port "$port")

cargo build --locked --manifest-path "$root/Cargo.toml" -p custody-cli
custody=${CARGO_TARGET_DIR:-$root/target}/debug/custody
cd "$work"
export CUSTODY_ARCHIVE=$work/archive CUSTODY_LDAP_BASE=ou=people,dc=example,dc=com
export CUSTODY_LDAP_URL=ldap://localhost:$port CUSTODY_LDAP_CA_FILE=$work/ca.pem
export CUSTODY_LDAP_BIND_DN=cn=custody,dc=example,dc=com CUSTODY_LDAP_BIND_PASSWORD=right
unset XDG_CONFIG_HOME

top() {
  printf 'dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n'
  printf 'dn: cn=limited,dc=example,dc=com\nobjectClass: person\ncn: limited\nsn: limited\nuserPassword: right\n\n'
  printf 'dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n'
}

person() { # CN LINE...
  printf 'dn: cn=%s,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: adPerson\n' "$1"
  printf 'cn: %s\nsn: %s\n' "$1" "$1"
  shift
  printf '%s\n' "$@" ''
}

# What a list says, a line for each address. Instants that a sync gave are T.
listed() {
  "$custody" people list --json "$@" | python3 -c '
import json, sys
for a in json.load(sys.stdin)["addresses"]:
    time = lambda t: "-" if t is None else "T"
    print("|".join([a["id"], a["person"], a["department"] or "-", a["address"], time(a["valid_from"]), time(a["valid_to"])]))'
}

check() { # WHAT WANTED GOT
  [ "$2" = "$3" ] || die "$1: wanted
$2
got
$3"
  echo "ldap: $1: as it should be"
}

# refused WHAT WORDS COMMAND...: it fails, saying so, and changes nothing.
refused() {
  local what=$1 words=$2 before after got
  shift 2
  before=$(ls "$work/archive/people" 2>/dev/null || true)
  ! got=$("$@" 2>&1) || die "$what: it succeeded: $got"
  [[ $got == *"$words"* ]] || die "$what: wanted \"$words\" in: $got"
  [[ $got != *panicked* ]] || die "$what: $got"
  after=$(ls "$work/archive/people" 2>/dev/null || true)
  check "$what" "$before" "$after"
}

sync() { "$custody" people sync-ldap "$@"; }

alice=('displayName: Alice Archer' 'department: Trading' 'employeeID: 1007' 'mail: Alice@example.com'
  'proxyAddresses: SMTP:alice@example.com' 'proxyAddresses: smtp:a.archer@example.com'
  'proxyAddresses: X500:/o=example/cn=alice' 'msRTCSIP-PrimaryUserAddress: sip:alice.archer@example.com')
bob=('department: Sales' 'mail: bob@example.com' 'objectGUID:: AAECAwQFBgcICQoLDA0ODw==')
carol=('displayName: Carol Jones' 'mail: carol@example.com' 'entryUUID: 11111111-2222-4333-8444-555555555555')

{ top; person 'Alice Archer' "${alice[@]}"; person 'Bob Smith' "${bob[@]}"; person 'Carol' "${carol[@]}"; } | load

# --- what cannot be had is said, and nothing is taken ---
refused 'wrong password' 'wrong ldap.bind_dn or ldap.bind_password' env CUSTODY_LDAP_BIND_PASSWORD=wrong "$custody" people sync-ldap
refused 'unknown base' 'correct ldap.base' sync --ldap-base ou=nobody,dc=example,dc=com
refused 'filter that is none' 'is no LDAP filter' sync --ldap-filter '(mail=*'
refused 'nobody' 'has nobody below' sync --ldap-filter '(mail=zoe@example.com)'
refused 'size limit' 'limits do not let' sync --ldap-bind-dn cn=limited,dc=example,dc=com --ldap-page-entries 1
refused 'anonymous' 'correct ldap.base' env -u CUSTODY_LDAP_BIND_DN -u CUSTODY_LDAP_BIND_PASSWORD "$custody" people sync-ldap
refused 'certificate of another authority' 'TLS failed' env -u CUSTODY_LDAP_CA_FILE "$custody" people sync-ldap
refused 'certificate of another host' 'TLS failed' sync --ldap-url "ldap://127.0.0.1:$port"
refused 'TLS with a port that has none' 'ldaps' sync --ldap-url "ldaps://localhost:$port"
refused 'no TLS' 'the server wants TLS' sync --ldap-start-tls false
refused 'nobody listens' 'cannot connect to' sync --ldap-url "ldap://localhost:$(free_port)"
refused 'no file of certificates' 'cannot be read as PEM' sync --ldap-ca-file /nowhere.pem

# --- the first sync: everything was always so ---
sync >/dev/null
check 'first sync' "1007|Alice Archer|Trading|a.archer@example.com|-|-
1007|Alice Archer|Trading|alice.archer@example.com|-|-
1007|Alice Archer|Trading|alice@example.com|-|-
03020100-0504-0706-0809-0a0b0c0d0e0f|Bob Smith|Sales|bob@example.com|-|-
11111111-2222-4333-8444-555555555555|Carol Jones|-|carol@example.com|-|-" "$(listed | sort -t'|' -k2,2 -k4,4)"
before=$(listed)
sync --ldap-url "ldaps://localhost:$tls_port" | grep -q 'nothing changed' || die 'a second sync changes something'
check 'second sync, over ldaps' "$before" "$(listed)"
refused 'nobody any more' 'has nobody below' sync --ldap-filter '(mail=zoe@example.com)'

# --- a rename, an address that is given on, a department, one who left ---
alice=("${alice[@]/Alice Archer/Alice Byte}")
alice=("${alice[@]/Trading/Risk}")
{ top
  person 'Alice Byte' "${alice[@]/smtp:a.archer@/smtp:alice.byte@}"
  person 'Bob Smith' "${bob[@]}" 'proxyAddresses: smtp:a.archer@example.com'; } | load
sync --dry-run | grep -q 'nothing was written' || die 'a dry run writes'
check 'dry run' "$before" "$(listed)"
sync >/dev/null
check 'sync after changes' "1007|Alice Archer|Trading|a.archer@example.com|-|T
1007|Alice Archer|Trading|alice.archer@example.com|-|T
1007|Alice Archer|Trading|alice@example.com|-|T
1007|Alice Byte|Risk|alice.archer@example.com|T|-
1007|Alice Byte|Risk|alice.byte@example.com|T|-
1007|Alice Byte|Risk|alice@example.com|T|-
03020100-0504-0706-0809-0a0b0c0d0e0f|Bob Smith|Sales|a.archer@example.com|T|-
03020100-0504-0706-0809-0a0b0c0d0e0f|Bob Smith|Sales|bob@example.com|-|-
11111111-2222-4333-8444-555555555555|Carol Jones|-|carol@example.com|-|T" "$(listed | sort -t'|' -k2,2 -k4,4)"
check 'in the past' "$before" "$(listed --at 2020-01-01 | sed 's/|T$/|-/')"

# --- more than half would go ---
{ top; person 'Zoe' 'employeeID: 9' 'mail: zoe@example.com'; } | load
refused 'most would be closed' '2 of 2 people would be closed' sync
sync --replace >/dev/null
check 'who holds anything now' '9|Zoe|-|zoe@example.com|T|-' "$(listed --at 9000-01-01)"

# --- two with one address, and with one id ---
{ top; person 'Zoe' 'employeeID: 9' 'mail: zoe@example.com'; person 'Yan' 'employeeID: 8' 'mail: zoe@example.com'; } | load
refused 'an address of two' 'end the one before the other begins' sync
{ top; person 'Zoe' 'employeeID: 9' 'mail: zoe@example.com'; person 'Yan' 'employeeID: 9' 'mail: yan@example.com'; } | load
refused 'an id of two' 'have the same id' sync

# --- many, page by page ---
{ top; for n in $(seq 1200); do person "P$n" "employeeID: e$n" "mail: p$n@example.com"; done; } | load
CUSTODY_ARCHIVE=$work/many sync --ldap-page-entries 100 >/dev/null
check 'pages' 1200 "$(CUSTODY_ARCHIVE=$work/many listed | wc -l)"
echo 'ldap: all as it should be'
