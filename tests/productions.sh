#!/usr/bin/env bash
# Productions of an archive in every format, read by readers that are not ours, repeated, signed and damaged.
#
#     productions.sh CUSTODY ARCHIVE SCHEMAS FOLDER
#
# SCHEMAS is the folder with the published schemas of RSMF, vCon and the compliance XML, FOLDER is where the
# productions are made. Exit codes: 0 all is well, 1 not, 77 skipped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
custody=$1 archive=$2 schemas=$3 folder=$4
query='type:* OR is:quarantined'

say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

python=$("$here/readers/setup.sh") || exit $?
[ -d "$schemas" ] || { echo "skipped: no published schemas at $schemas"; exit 77; }
mkdir -p "$folder"
cd "$folder"

export_as() { # export_as FORMAT FOLDER OPTION...
    local format=$1 out=$2
    shift 2
    "$custody" export "$query" --format "$format" --archive "$archive" --out "$out" --who 'the tests' \
        --why 'to read it' "$@" 2>&1
}
reader() { # reader NAME ARGUMENT...: what it counts
    local name=$1
    shift
    # Thousands of files are more than a command line holds.
    printf '%s\0' "$@" >arguments
    "$python" - "$here/readers/$name.py" arguments <<'PY' | tr -d '\n'
import runpy, sys
script, arguments = sys.argv[1:]
sys.path.insert(0, script.rsplit("/", 1)[0])
sys.argv = [script] + open(arguments, encoding="utf-8").read().split("\0")[:-1]
runpy.run_path(script, run_name="__main__")
PY
}
expected=$("$custody" search "$query" --archive "$archive" --count 2>/dev/null) || fail "the archive cannot be searched"
"$custody" key generate --name tests.example/custody --out key >key.txt 2>/dev/null

for format in jsonl html pdf eml mbox csv calls dat edrm rsmf vcon chat-xml xlsx parquet; do
    start=$SECONDS
    export_as $format $format --key key >out.txt || fail "$format: $(cat out.txt)"
    grep -q "^$expected records" out.txt || fail "$format has not the $expected records that the search finds: $(cat out.txt)"
    "$custody" verify $format --key "$(cat key.txt)" >out.txt || fail "$format: $(cat out.txt)"
    "$python" $format/verify.py --key "$(cat key.txt)" >out.txt || fail "verify.py of $format: $(cat out.txt)"
    case $format in
        html) read=$(reader html_reader html/html/*.html) ;;
        pdf)
            if poppler=$("$here/readers/poppler.sh"); then
                read=$(PATH=$poppler:$PATH reader pdf_reader pdf html)
            else
                read="$expected records, not read: poppler's tools cannot be had"
            fi ;;
        eml) read=$(reader eml_reader eml/eml/*.eml) ;;
        mbox) read=$(reader mbox_reader mbox/mbox/production.mbox) ;;
        csv) read=$(reader records_csv csv/records.csv) ;;
        calls) read=$(reader calls_csv calls/calls.csv) ;;
        dat) read=$(reader load_dat dat) ;;
        edrm) read=$(reader load_edrm edrm) ;;
        rsmf) read=$(reader rsmf "$schemas/rsmf_schema_2_0_0.json" rsmf/rsmf/*.rsmf) ;;
        vcon) read=$(reader vcon "$schemas/vcon_json_schema.json" vcon/vcon/*.vcon) ;;
        chat-xml) read=$(reader chat_xml "$schemas/persistent-chat-compliance.xsd" chat-xml/chat-xml/*.xml) ;;
        xlsx) read=$(reader records_xlsx xlsx/records*.xlsx) ;;
        parquet) read=$(reader records_parquet --leaves parquet/records.parquet) ;;
        jsonl) read=$(wc -l <jsonl/records.jsonl) ;;
    esac || fail "the reader of $format"
    case $format in
        jsonl) [ "$read" -eq "$expected" ] || fail "jsonl has $read lines" ;;
        calls) ;;
        *) grep -qw "$expected" <<<"$read" || fail "the reader of $format does not count $expected records: $read" ;;
    esac
    say "$format: $read ($((SECONDS - start)) s)"
done

say "the same request gives the same bytes, with other cores too"
for format in rsmf dat xlsx pdf; do
    taskset -c 0 true 2>/dev/null && one='taskset -c 0' || one=''
    $one "$custody" export "$query" --format $format --archive "$archive" --out again --who 'the tests' \
        --why 'to read it' --key key >/dev/null 2>&1
    diff -r $format again || fail "$format differs"
    rm -rf again
done

say "killed, begun again, the same bytes"
# Not as a function: the kill must hit the program, not a shell around it.
"$custody" export "$query" --format html --archive "$archive" --out again --who 'the tests' --why 'to read it' \
    --key key >/dev/null 2>&1 &
while [ ! -d again/production.part/html ] && kill -0 $! 2>/dev/null; do sleep 0.05; done
kill -9 $! 2>/dev/null || true
wait $! 2>/dev/null || true
[ -e again/receipt.json ] && fail "it was done before it could be killed"
if "$custody" verify again >out.txt 2>&1; then fail "a killed run passes for a production"; fi
grep -q 'not finished' out.txt || fail "unclear: $(cat out.txt)"
export_as html again --key key >out.txt || fail "it does not begin again: $(cat out.txt)"
diff -r html again || fail "html differs"

say "volumes"
export_as dat volumes --volume-documents 50 --bates-prefix TEST- --bates-width 6 >out.txt || fail "$(cat out.txt)"
reader load_dat volumes/VOL* >/dev/null || fail "the reader of volumes"

say "what is redacted is nowhere"
"$custody" export 'spill OR accident' --format rsmf --with-records --redact email,phone,card --archive "$archive" \
    --out redacted --who 'the tests' --why 'to read it' >out.txt 2>&1 || fail "$(cat out.txt)"
"$custody" verify redacted >/dev/null && "$python" redacted/verify.py >/dev/null || fail "a redacted production is not sound"
if grep -rlE '[a-z0-9]+@[a-z0-9]+\.(com|org|net)' redacted --include=records.jsonl; then fail "an address is there"; fi

say "damage is noticed by both"
for damage in 'printf x >>rsmf/exceptions.csv' 'rm cut/verify.py' 'touch cut/more' 'sed -i s/tests/texts/ cut/receipt.json'; do
    rm -rf cut
    cp -r rsmf cut
    eval "${damage//rsmf/cut}"
    if "$custody" verify cut >/dev/null 2>&1; then fail "not noticed: $damage"; fi
    if "$python" rsmf/verify.py cut >/dev/null 2>&1; then fail "not noticed by verify.py: $damage"; fi
done
"$custody" key generate --name other.example --out other >other.txt 2>/dev/null
if "$custody" verify rsmf --key "$(cat other.txt)" >/dev/null 2>&1; then fail "another's key"; fi
if "$python" rsmf/verify.py --key "$(cat other.txt)" >/dev/null 2>&1; then fail "another's key, verify.py"; fi
