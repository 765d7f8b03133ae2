#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest at VMPL1 under many schedules: vCPUs take turns after a few instructions, drawn from the
# seed, so that requests of several meet in the SVSM. Each run ends well, and twice the same way.
# No fixtures: where a turn ends depends on the guests' compiler.
set -u
failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

run() { # TRACE
    timeout 300 "$SNPEMU_COMMAND" run run.lua --trace "$1" >out 2>err
}

for quantum in 20 200 3000; do
    for seed in 1 2 3; do
        printf '%s\n' "return { image = 'svsm', firmware = true, cpus = 6, seed = $seed," \
            "schedule = { random = true, quantum = $quantum }, expect = { outcome = 'halted' } }" \
            >run.lua
        if run first && grep -q '^[0-9]* cases, 0 failed$' out && run second &&
            cmp -s first second; then
            printf 'ok quantum %d seed %d\n' "$quantum" "$seed"
        else
            printf 'FAIL quantum %d seed %d\n' "$quantum" "$seed"
            tail -n 5 out err
            failed=1
        fi
    done
done
exit "$failed"
