#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One run in each format of the trace, and as a page: each is valid, and all say the same.
set -u
. "${SNPEMU_SOURCE_DIR:?}/tests/tally.sh"
fixtures=$SNPEMU_SOURCE_DIR/fixtures

# NAME COMMAND...
check() {
    local name=$1
    shift
    "$@" >out 2>err
    note $? "$name"
}

# Status 0 and 1 are those of a run.
trace() { # FILE ARGUMENT...
    local file=$1
    shift
    "$SNPEMU_COMMAND" run --trace "$file" "$@" >/dev/null 2>&1 || [ $? -eq 1 ]
}

same_run() { # NAME ARGUMENT...
    local name=$1
    shift
    rm -f a.* page.html
    trace a.trace "$@" && trace a.json --trace-format json "$@" &&
        trace a.timeline --trace-format perfetto "$@" &&
        "$SNPEMU_COMMAND" report -o page.html --source "$SNPEMU_SOURCE_DIR" "$@" 2>/dev/null &&
        python3 -B "$SNPEMU_SOURCE_DIR/tests/formats_check.py" \
            a.trace a.json a.timeline page.html >out 2>err
    note $? "$name: $*"
}

same_run "hits of oracles" svsm-percpu --cpus 4 --oracles cheap
same_run "no exit" svsm-percpu --budget 20
same_run "ends before a reply" svsm-percpu --stop-at-exit apic_id_list
same_run "the host remaps and takes" "$fixtures/guests/rmp_host.lua"
same_run "several vCPUs" "$fixtures/guests/smp-deadlock.lua"
if [ -z "${SNPEMU_SANITIZED:-}" ]; then # the rest takes long there
    same_run "a whole boot" svsm --cpus 3
    same_run "a triple fault" "$fixtures/guests/faults-triple-df.lua"
    same_run "pages" "$fixtures/guests/pvalidate.lua"
    same_run "events of the host" "$fixtures/guests/hv.lua"
    same_run "the AMD-SP" "$fixtures/guests/psp.lua"
fi

# The same again, byte by byte.
mkdir again
same_run "first" svsm-percpu --budget 50000
for file in a.json a.timeline page.html; do
    mv "$file" again/
done
same_run "again" svsm-percpu --budget 50000
for file in a.json a.timeline page.html; do
    check "$file: the same again" cmp "$file" "again/$file"
done

# A golden trace has no time.
trace golden.json --trace-format json --trace-form golden svsm-percpu
check "golden JSON" python3 -c '
import json
objects = [json.loads(line) for line in open("golden.json")]
assert objects[0]["form"] == "golden" and len(objects) > 20
assert all(not {"time", "rip", "words", "digest"} & set(one) for one in objects)'

# Options
run() {
    ends "$SNPEMU_COMMAND" "$@"
}
run "a format that there is not" 2 'none of text, json, perfetto' run svsm --trace-format xml --trace x
run "a format of no trace" 2 'needs --trace FILE' run svsm --trace-format json
run "a timeline has time" 2 'needs the full form' \
    run svsm --trace x --trace-format perfetto --trace-form golden
run "no output" 2 'Say -o' report svsm
run "no scenario" 2 'no scenario or image' report -o page.html
run "two scenarios" 2 'one too many' report -o page.html svsm svsm
run "a directory that is not there" 2 'no/page.html' report -o no/page.html svsm
run "a scenario that is not there" 2 'no.lua' report -o other.html no.lua
run "too many directories" 2 'at most 31' report -o page.html svsm $(printf -- '--source . %.0s' {1..32})
timeout --preserve-status -s INT 0.3 "$SNPEMU_COMMAND" report svsm --cpus 1000 -o no.html >out 2>err
[ $? -eq 130 ]
note $? "interrupted"
check "nothing is left of what failed" sh -c '! ls no* other* *.tmp.* x'
run "to standard output" 0 '^<!DOCTYPE html>' report svsm-percpu --budget 1000 -o -
run "no sources" 0 '"sources":\[\]' report svsm-percpu --budget 1000 --no-source -o -

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
