#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An SVSM image that the user has built, from launch to the end: SVSM_IMAGE names its ELF file, and
# SVSM_FIRMWARE, if given, the firmware that it starts at VMPL1 instead of the built-in one. Without
# SVSM_IMAGE all of this is skipped. What is asserted is linux-svsm's behaviour; for another image
#   SVSM_UNTIL           the symbol at which it waits for requests (svsm_request_loop)
#   SVSM_OUTCOME_1025    how it ends with 1025 CPUs (terminated 0xf:0x1), or "any"
# say otherwise. SVSM_FROM_CMAKE and SVSM_FIRMWARE_FROM_CMAKE are what the build was configured with.
set -u

: "${SNPEMU_COMMAND:?}" "${SNPEMU_IMAGE_DIR:?}"
export SNPEMU_IMAGES=$SNPEMU_IMAGE_DIR NO_COLOR=1 LC_ALL=C
image=${SVSM_IMAGE:-${SVSM_FROM_CMAKE:-}}
firmware=${SVSM_FIRMWARE:-${SVSM_FIRMWARE_FROM_CMAKE:-}}
until=${SVSM_UNTIL:-svsm_request_loop}
outcome_1025=${SVSM_OUTCOME_1025:-terminated 0xf:0x1}
SKIPPED=77
CPUS='1 4 64'

if [ -z "$image" ]; then
    printf 'skipped: SVSM_IMAGE names no image; set it to the ELF file of an SVSM that you built\n'
    exit $SKIPPED
fi
for file in "$image" ${firmware:+"$firmware"}; do
    case $file in
    /*) ;;
    *)
        printf 'FAIL %s: write an absolute path: a test has no working directory\n' "$file"
        exit 1
        ;;
    esac
done
case $image$firmware in
*[\"\\]*)
    printf 'FAIL %s %s: a path with a quote or a backslash\n' "$image" "$firmware"
    exit 1
    ;;
esac

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0

# STATUS NAME: keep a result; of a failure show what the command said.
note() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        printf 'ok   %s\n' "$2"
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$2"
        tail -n 12 err | sed 's/^/    /'
    fi
}

# ARGUMENT...: snpemu, with its output in `out` and `err`; prints what it took.
measured() {
    python3 - "$SNPEMU_COMMAND" "$@" <<'END'
import resource, subprocess, sys, time
started = time.monotonic()
with open("out", "wb") as out, open("err", "wb") as err:
    status = subprocess.run(sys.argv[1:], stdout=out, stderr=err).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print("     %.2f s, %d MiB at most" % (time.monotonic() - started, peak // 1024))
sys.exit(status if status >= 0 else 128 - status)
END
}

outcome_is() { # the text after "outcome"
    grep -q "^outcome   $1" err
}

# "after N instructions and M exits", which may be broken over two lines.
show_how_far() {
    tr -s '\n ' '  ' <err | grep -oE 'after [0-9]+ instructions and [0-9]+ exits' | tail -n 1 |
        sed 's/^/     /'
}

arguments=("$image" ${firmware:+--firmware "$firmware"})

printf 'image     %s\nfirmware  %s\n\n' "$image" "${firmware:-the built-in one}"

# Every CPU is up when the first waits for requests; the table of them is for people.
for cpus in $CPUS; do
    measured run "${arguments[@]}" --cpus "$cpus" --until "$until" --dump percpu
    status=$?
    [ $status -eq 0 ] && outcome_is reached
    note $? "$cpus CPUs: $until is reached (status $status)"
    show_how_far
    [ "$cpus" -gt 4 ] || sed 's/^/     /' out | tail -n $((cpus + 1))
done

# To the end. The built-in firmware halts when its calls are answered; of another one we know nothing.
for cpus in $CPUS; do
    measured run "${arguments[@]}" --cpus "$cpus" --trace "trace-$cpus"
    status=$?
    sed -n 's/^outcome   \([a-z-]*\).*/\1/p' err >"outcome-$cpus"
    if [ -z "$firmware" ]; then
        outcome_is halted && grep -q ' cases, 0 failed' out
        note $? "$cpus CPUs: the firmware's calls are all answered (status $status)"
    else
        [ $status -le 1 ] && [ -s "outcome-$cpus" ]
        note $? "$cpus CPUs: an outcome, $(cat "outcome-$cpus"); which one is not asserted"
    fi
    show_how_far
done

# The same bytes again: in a new process, and by way of a snapshot at the middle exit.
measured run "${arguments[@]}" --cpus 4 --trace trace-again
cmp trace-4 trace-again >err 2>&1 && tail -n 1 trace-4 | grep -qE '^digest sha256=[0-9a-f]{64}$'
note $? '4 CPUs: the same full trace in two processes'
mkdir fixture
serial=
[ -n "$firmware" ] || serial=', serial = " cases, 0 failed"'
for cpus in $CPUS; do
    printf 'return { image = "%s", cpus = %s, firmware = %s,\n  expect = { outcome = "%s"%s } }\n' \
        "$image" "$cpus" "$([ -n "$firmware" ] && printf '"%s"' "$firmware" || printf true)" \
        "$(cat "outcome-$cpus")" "$serial" >"fixture/$cpus.lua"
done
measured test --accept fixture
cat out >>err
[ "$(grep -c '^accepted ' out)" -eq 3 ]
note $? "$CPUS CPUs: the same full trace in a second process, and through a snapshot"

# More CPUs than linux-svsm has room for.
measured run "${arguments[@]}" --cpus 1025
status=$?
if [ "$outcome_1025" = any ]; then
    [ $status -le 1 ]
    note $? "1025 CPUs: $(grep '^outcome' err); which one is not asserted"
else
    outcome_is "$outcome_1025\$"
    note $? "1025 CPUs: $outcome_1025 (status $status)"
fi
show_how_far

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
