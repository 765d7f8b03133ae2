#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fuzz target of the response path by its own driver: what the environment says, what counts as
# a finding, and what engines start from.
set -u

: "${SNPEMU_SOURCE_DIR:?}"
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"
target=$(dirname "$SNPEMU_COMMAND")/snpemu-fuzz-response
unset SNPEMU_FUZZ_SCENARIO SNPEMU_FUZZ_ORACLES SNPEMU_FUZZ_STOP SNPEMU_FUZZ_MARGIN

run() { # NAME STATUS PATTERN [VARIABLE=VALUE...] [ARGUMENT...]
    local name=$1 status=$2 pattern=$3 variables=()
    shift 3
    while [ $# -gt 0 ] && [[ $1 == *=* ]]; do
        variables+=("$1")
        shift
    done
    ends env "$name" "$status" "$pattern" "${variables[@]}" "$target" "$@"
}

printf '' >honest
printf 'return { image = "svsm-percpu", on = { cpuid = function(exit, reply) reply:honest() end } }' \
    >handlers.lua

run 'an honest answer' 0 '^honest$' honest
run 'what each run shows is no finding' 0 '^honest$' SNPEMU_FUZZ_ORACLES=double-fetch honest
run 'another image' 0 '^honest$' SNPEMU_FUZZ_SCENARIO=svsm-hardened honest
run 'no file' 2 'missing: ' missing
run 'nothing to do' 2 '^usage'
run 'an unknown class' 2 "SNPEMU_FUZZ_STOP: 'hangs' is none of" SNPEMU_FUZZ_STOP=hangs honest
run 'an unknown oracle' 2 'SNPEMU_FUZZ_ORACLES: .*double-fetch' SNPEMU_FUZZ_ORACLES=double-fetc honest
run 'an oracle that sees nothing here' 2 'trusted-unchecked sees nothing in fast runs' \
    SNPEMU_FUZZ_ORACLES=all honest
run 'a margin that is no number' 2 "SNPEMU_FUZZ_MARGIN: '1e6' is no number" \
    SNPEMU_FUZZ_MARGIN=1e6 honest
run 'an image that is not there' 2 "no image 'svsm-none.elf'" SNPEMU_FUZZ_SCENARIO=svsm-none honest
run 'a scenario with handlers' 2 'take the .on. out' SNPEMU_FUZZ_SCENARIO=handlers.lua honest

# What engines start from, the same each time; short inputs show mistakes of this image already.
run 'a dictionary and seeds' 0 '^seeds: [0-9]+ seeds$' --dictionary dictionary --seeds seeds
[ "$(grep -cE '^[a-z0-9_]+="(\\x[0-9a-f]{2})+"$' dictionary)" -ge 50 ]
note $? 'the dictionary has lines that engines read'
[ "$(find seeds -type f | wc -l)" -ge 50 ] && [ -z "$(find seeds -type f -size +64c)" ]
note $? 'there are seeds, and they are short'
run 'seeds again' 0 '^again: [0-9]+ seeds$' --seeds again
diff -r seeds again >out 2>err
note $? 'the same seeds again'
run 'findings do not count' 0 '^seeds/' SNPEMU_FUZZ_STOP=none seeds/*
run 'a finding ends it' 134 \
    '^fuzz-response: finding (hang|guest-crash|violation)-[a-z0-9_-]+-[0-9a-f]{8}: ' seeds/*
run 'a hang ends it' 134 '^fuzz-response: finding (hang|violation)-.*stuck' \
    SNPEMU_FUZZ_STOP=hang seeds/*

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
