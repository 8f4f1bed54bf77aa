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

say "a request in a file, records that were selected, and what stands around hits"
cat >production.toml <<'TOML'
query = "type:* OR is:quarantined"
who = "the tests"
why = "to read it"
format = "csv"
TOML
"$custody" export --request production.toml --archive "$archive" --out again --key key >out.txt 2>&1 || fail "$(cat out.txt)"
diff -r csv again || fail "a request in a file is another one"
rm -rf again
awk -F, 'NR == 1 || NR % 7 == 0' csv/cross-reference.csv >reviewed.csv
"$custody" export --positions reviewed.csv --format jsonl --archive "$archive" --out selected --who 'the tests' \
    --why 'to read it' >out.txt 2>&1 || fail "$(cat out.txt)"
# A record with an attachment stands in the list twice.
[ "$(wc -l <selected/records.jsonl)" -eq "$(tail -n +2 reviewed.csv | cut -d, -f2 | sort -u | wc -l)" ] ||
    fail "not all that was selected is there"
if "$custody" export --positions <(echo nowhere:1:0:0) --archive "$archive" --out never --who a --why b >out.txt 2>&1
then fail "what is not there was produced"; fi
grep -q 'holds no record at 1 of 1 positions' out.txt || fail "unclear: $(cat out.txt)"
for context in 3 2h day conversation; do
    "$custody" export 'type:call.* OR spill' --context $context --archive "$archive" --out around --who 'the tests' \
        --why 'to read it' >out.txt 2>&1 || fail "context $context: $(cat out.txt)"
    grep -q 'of them context' out.txt || fail "context $context finds none: $(cat out.txt)"
    "$custody" verify around >/dev/null && "$python" around/verify.py >/dev/null || fail "context $context is not sound"
    "$python" "$here/readers/context.py" around $context || fail "context $context"
    rm -rf around
done

say "killed, begun again, the same bytes"
# Not as a function: the kill must hit the program, not a shell around it.
"$custody" export "$query" --format html --archive "$archive" --out again --who 'the tests' --why 'to read it' \
    --key key >/dev/null 2>&1 &
while [ "$(wc -l 2>/dev/null <again/production.part/journal.part || echo 0)" -lt 3 ] && kill -0 $! 2>/dev/null; do
    sleep 0.01
done
kill -9 $! 2>/dev/null || true
wait $! 2>/dev/null || true
written=$(wc -l <again/production.part/journal.part)
[ "$written" -ge 3 ] || fail "it was killed before it had written anything: $written"
[ -e again/receipt.json ] && fail "it was done before it could be killed"
if "$custody" verify again >out.txt 2>&1; then fail "a killed run passes for a production"; fi
grep -q 'not finished' out.txt || fail "unclear: $(cat out.txt)"
export_as html again --key key >out.txt || fail "it does not begin again: $(cat out.txt)"
diff -r html again || fail "html differs"

say "a full disk: no production, and no need to begin anew"
mkdir -p small
if mount -t tmpfs -o size=1m tmpfs small 2>/dev/null; then
    if export_as html small/html --key key >out.txt; then umount small; fail "a disk of 1 MB is not full"; fi
    grep -q 'No space left' out.txt || { umount small; fail "unclear: $(cat out.txt)"; }
    [ -e small/html/receipt.json ] && { umount small; fail "a production on a full disk has a receipt"; }
    mount -o remount,size=200m small
    export_as html small/html --key key >out.txt || { umount small; fail "it does not go on: $(cat out.txt)"; }
    diff -r html small/html || { umount small; fail "html differs"; }
    umount small
else
    say "skipped: a small disk can only be mounted by root"
fi

say "volumes"
export_as dat volumes --volume-documents 50 --bates-prefix TEST- --bates-width 6 >out.txt || fail "$(cat out.txt)"
reader load_dat volumes/VOL* >/dev/null || fail "the reader of volumes"

say "what is redacted is nowhere"
"$custody" export 'spill OR accident' --format rsmf --with-records --redact email,phone,card --archive "$archive" \
    --out redacted --who 'the tests' --why 'to read it' >out.txt 2>&1 || fail "$(cat out.txt)"
"$custody" verify redacted >/dev/null && "$python" redacted/verify.py >/dev/null || fail "a redacted production is not sound"
if grep -rlE '[a-z0-9]+@[a-z0-9]+\.(com|org|net)' redacted --include=records.jsonl; then fail "an address is there"; fi

say "the page says what the receipt says"
"$custody" export "\"<script>alert(1)</script>\" OR $query" --format jsonl --archive "$archive" --out hostile \
    --who $'<img src=x onerror=alert(1)> \u202etxt.exe\u2066 & "us"' --why $'a\r\nb \u05e9\u05dc\u05d5\u05dd 12 \u200b<b>c</b>' \
    >out.txt 2>&1 || fail "$(cat out.txt)"
reader receipt_page jsonl html rsmf dat redacted volumes hostile >/dev/null || fail "the reader of RECEIPT.html"
sed -i 's|<title>|<script>alert(1)</script><title>|' hostile/RECEIPT.html
if reader receipt_page hostile >/dev/null 2>&1; then fail "the reader of RECEIPT.html takes a script"; fi

say "packed, unpacked by readers that are not ours, and sound"
for tool in unzip zstd tar age age-keygen; do
    command -v $tool >/dev/null || { say "skipped: no $tool (Debian's packages unzip, zstd, tar and age have them)"; tools=missing; }
done
unpacked() { # unpacked FOLDER: it is the production, and is checked by both
    diff -r rsmf "$1/rsmf" || fail "$1 is not what was packed"
    "$custody" verify "$1/rsmf" --key "$(cat key.txt)" >out.txt || fail "$1: $(cat out.txt)"
    "$python" "$1/rsmf/verify.py" --key "$(cat key.txt)" >out.txt || fail "verify.py of $1: $(cat out.txt)"
    rm -rf "$1"
}
if [ -z "${tools:-}" ]; then
    "$custody" pack rsmf --out a.zip >out.txt || fail "$(cat out.txt)"
    "$custody" pack rsmf --out a.tar.zst >out.txt || fail "$(cat out.txt)"
    grep -qw "$(sha256sum <a.tar.zst | cut -d ' ' -f 1)" out.txt || fail "not its SHA-256: $(cat out.txt)"
    mkdir twice
    cp -r rsmf twice/rsmf
    touch -d 2001-09-09 twice/rsmf/receipt.json
    chmod 600 twice/rsmf/verify.py
    for form in zip tar.zst; do
        "$custody" pack twice/rsmf --out b.$form >/dev/null || fail "it is not packed twice"
        cmp a.$form b.$form || fail "the same production is other bytes"
    done
    rm -rf twice
    unzip -q a.zip -d by-unzip && unpacked by-unzip
    "$python" -c 'import zipfile; z = zipfile.ZipFile("a.zip"); assert z.testzip() is None; z.extractall("by-zipfile")'
    unpacked by-zipfile
    mkdir by-tar by-tarfile
    tar --zstd -xf a.tar.zst -C by-tar && unpacked by-tar
    zstd -q -dc a.tar.zst | "$python" -c 'import sys, tarfile
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall("by-tarfile", filter="data")'
    unpacked by-tarfile

    say "encrypted, decrypted by age"
    for name in one two other; do age-keygen -o $name.age-key 2>/dev/null; age-keygen -y $name.age-key >$name.recipient; done
    { echo '# the second'; cat two.recipient; } >recipients
    "$custody" pack rsmf --out a.zip.age --to "$(cat one.recipient)" --recipients recipients >out.txt || fail "$(cat out.txt)"
    "$custody" pack rsmf --out a.tar.zst.age --recipients recipients >out.txt || fail "$(cat out.txt)"
    for name in one two; do age -d -i $name.age-key a.zip.age | cmp - a.zip || fail "$name cannot read it"; done
    age -d -i two.age-key a.tar.zst.age | cmp - a.tar.zst || fail "two cannot read the tar"
    if age -d -i other.age-key a.zip.age >/dev/null 2>&1; then fail "another can read it"; fi
    if "$custody" pack rsmf --out c.zip.age --to "$(cat one.recipient)x" >out.txt 2>&1; then fail "a wrong recipient"; fi
    grep -q -- '--to: it is no public key of age' out.txt || fail "unclear: $(cat out.txt)"
fi

say "what is packed is not verified as it is, and what is not sound is not packed"
for name in a.zip a.tar.zst a.zip.age; do
    [ -e $name ] || : >$name
    if "$custody" verify $name >out.txt 2>&1; then fail "$name is verified"; fi
    grep -q 'is packed: unpack it' out.txt || fail "unclear: $(cat out.txt)"
done
mkdir outside
for damage in 'printf x >>cut/exceptions.csv' 'rm cut/verify.py' 'touch cut/more' 'sed -i s/tests/texts/ cut/receipt.json' \
    'ln -sf /etc/hostname cut/verify.py'; do
    rm -rf cut
    cp -r rsmf cut
    eval "$damage"
    "$custody" pack cut --out outside/cut.zip >out.txt 2>&1 && code=0 || code=$?
    [ $code -eq 3 ] || fail "packed with exit code $code: $damage: $(cat out.txt)"
    [ -z "$(ls -A outside)" ] || fail "left: $(ls -A outside)"
done

say "a full disk and a kill leave nothing that looks finished"
for form in zip tar.zst; do
    # A limit of 8 KiB for files stands for the disk; without the signal a write fails as on a full one.
    (trap '' XFSZ; ulimit -f 8; exec "$custody" pack rsmf --out outside/full.$form) >out.txt 2>&1 && code=0 || code=$?
    [ $code -eq 1 ] && grep -q 'cannot write' out.txt || fail "exit code $code: $(cat out.txt)"
    [ -z "$(ls -A outside)" ] || fail "left: $(ls -A outside)"
    # With it the program is killed. The shell would say so.
    { (ulimit -c 0 -f 8; exec "$custody" pack rsmf --out outside/full.$form) && fail "a kill is a success"; } >out.txt 2>&1
    [ "$(ls -A outside)" = full.$form.part ] || fail "left: $(ls -A outside)"
    "$custody" pack rsmf --out outside/full.$form >out.txt || fail "it does not begin anew: $(cat out.txt)"
    [ "$(ls -A outside)" = full.$form ] || fail "left: $(ls -A outside)"
    rm outside/full.$form
done

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
