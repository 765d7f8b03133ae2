# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by tests of a tool beside the command: an empty directory to work in, and cases that are
# counted. The tool's output is in `out` and `err`.
: "${SNPEMU_COMMAND:?}" "${SNPEMU_IMAGE_DIR:?}"
export SNPEMU_IMAGES=$SNPEMU_IMAGE_DIR NO_COLOR=1 LC_ALL=C
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0

note() { # STATUS NAME
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$2"
        tail -n 40 out err | sed 's/^/    /'
    fi
}

# PATH NAME STATUS PATTERN ARGUMENT...: a line of the output, or of what it says is wrong, matches.
ends() {
    local tool=$1 name=$2 status=$3 pattern=$4 got
    shift 4
    "$tool" "$@" >out 2>err
    got=$?
    [ "$got" -eq "$status" ] && grep -qE -- "$pattern" out err
    note $? "$name: status $got, wanted $status with '$pattern'"
}
