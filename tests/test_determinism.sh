#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same full trace, digest included, in two processes whose address spaces differ.
set -u

: "${SNPEMU_COMMAND:?}" "${SNPEMU_IMAGE_DIR:?}" "${SNPEMU_SOURCE_DIR:?}"
export SNPEMU_IMAGES=$SNPEMU_IMAGE_DIR NO_COLOR=1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    printf 'FAIL %s\n' "$*"
    failed=1
}

# Otherwise two equal traces would show less than they seem to.
randomized=$(cat /proc/sys/kernel/randomize_va_space)
if [ "$randomized" -ne 2 ]; then
    printf 'note: address-space randomisation is at %s on this machine, not at 2\n' "$randomized"
fi

# NAME ARGUMENT...: three runs, from directories of different names, in different environments.
same_trace() {
    local name=$1 run
    shift
    for run in 1 2 3; do
        mkdir -p "$work/$run$run$run"
        (cd "$work/$run$run$run" &&
            env "FILLER=$(head -c $((run * 3000)) /dev/zero | tr '\0' x)" \
                "$SNPEMU_COMMAND" run "$@" --trace "$work/$name.$run" >"$work/$name.out.$run" 2>&1)
        [ -s "$work/$name.$run" ] || fail "$name: no trace; $(tail -n 1 "$work/$name.out.$run")"
    done
    for run in 2 3; do
        cmp "$work/$name.1" "$work/$name.$run" || fail "$name: run $run has another trace"
        cmp "$work/$name.out.1" "$work/$name.out.$run" || fail "$name: run $run prints otherwise"
    done
    tail -n 1 "$work/$name.1" | grep -qE '^digest sha256=[0-9a-f]{64}$' || fail "$name: no digest"
}

same_trace one svsm-percpu
same_trace four svsm-percpu --cpus 4
same_trace many svsm-percpu --cpus 256
same_trace sparse svsm-percpu --apic-ids 5,3,900,4294967295
same_trace seed svsm-percpu --cpus 4 --seed 2
same_trace hang svsm-percpu --apic-ids 0,1,0
same_trace budget svsm-percpu --cpus 4 --budget 123457
same_trace until svsm-percpu --cpus 4 --until vc_get_apic_ids

# What a run is made of shows in its trace.
cmp -s "$work/one.1" "$work/four.1" && fail "1 and 4 CPUs give one trace"
cmp -s "$work/four.1" "$work/seed.1" && fail "two seeds give one trace"

# A budget is exact to the instruction.
tail -n 2 "$work/budget.1" | grep -q '^123457 ' || fail "the budget of 123457 is not where it ended"

[ "$failed" -eq 0 ] && printf 'all traces are the same\n'
exit "$failed"
