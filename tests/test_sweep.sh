#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Answers gone astray, one at a time: each run of our own images has an outcome, none of them
# unmodelled. `svsm` makes too many exits for all of them here; tools/nightly takes all.
set -u

: "${SNPEMU_SOURCE_DIR:?}"
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"
sweep=$(dirname "$SNPEMU_COMMAND")/snpemu-sweep

swept() { # NAME STATUS PATTERN ARGUMENT...
    ends "$sweep" "$@"
}

# Every exit, and some of each part of the boot.
swept 'all of svsm-percpu' 0 '^291 runs, 0 unmodelled, 0 failures' svsm-percpu --cpus 2 -j 2
grep -qE '^dropped +4 +0/0 +msr_register_ghcb +terminated' out
note $? 'a registration that is dropped ends the guest'
swept 'svsm, up to the request loop' 0 '^30 runs, 0 unmodelled, 0 failures' svsm --cpus 2 -j 2 \
    --from 7 --to 61 --every 6
swept 'svsm, its guest included' 0 ' 0 unmodelled, 0 failures' svsm --cpus 2 -j 2 \
    --from 62 --every 300

# The scenario of a row, played by itself, ends as the row says.
for fault in dropped:9 delayed:11 repeated:6; do
    kind=${fault%%:*} exit=${fault#*:}
    swept "the row of $fault" 0 "^$kind +$exit " svsm-percpu --cpus 2 --from "$exit" --to "$exit" --all
    row=$(grep "^$kind " out)
    "$sweep" svsm-percpu --cpus 2 --scenario "$fault" >"$kind.lua" 2>err
    "$SNPEMU_COMMAND" run "$kind.lua" >out 2>err
    outcome=$(sed -n 's/^outcome   //p' err)
    [ -n "$outcome" ] && printf '%s\n' "$row" | grep -qF " $outcome "
    note $? "$fault: the row is '$row', the scenario ends as '$outcome'"
done

# What is not modelled is told, and so is what cannot be swept.
swept 'an image that meets something not modelled' 1 ' [1-9][0-9]* unmodelled, 0 failures' \
    "$SNPEMU_SOURCE_DIR/fixtures/guests/port_io-no-device.lua" --to 2
cat >handlers.lua <<'END'
return { image = "svsm-percpu", on = { cpuid = { rax = 1 } } }
END
swept 'handlers' 2 'has handlers' handlers.lua
swept 'an unknown kind' 2 'dropped:N, delayed:N or repeated:N' svsm --scenario lost:3
swept 'no image' 2 'no scenario or image' --from 3
swept 'no exit is there' 0 '^0 runs' svsm-percpu --from 100000

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
