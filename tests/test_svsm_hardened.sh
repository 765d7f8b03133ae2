#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# svsm-hardened does what svsm does, wherever svsm does nothing wrong: in the place of svsm it goes the
# way of the golden traces of all fixtures in vmpl1/, and of those in svsm/ that svsm-hardened/ has none
# of its own for. Two things differ everywhere, and are taken out before the comparison: svsm passes
# registers that an exit does not ask for, and svsm-hardened has a code of its own for each check, of
# which 'snpemu explain' says what svsm's is. And where svsm-hardened/ has a fixture for a hostile host,
# the traces do differ.
set -u

: "${SNPEMU_COMMAND:?}" "${SNPEMU_IMAGE_DIR:?}" "${SNPEMU_SOURCE_DIR:?}"
export NO_COLOR=1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
fixtures=$SNPEMU_SOURCE_DIR/fixtures
failed=0

fail() {
    printf 'FAIL %s\n' "$*"
    failed=1
}

mkdir "$work/images" || exit 1
ln -s "$SNPEMU_IMAGE_DIR"/* "$work/images/" || exit 1
ln -sf "$SNPEMU_IMAGE_DIR/svsm-hardened.elf" "$work/images/svsm.elf" || exit 1

# Every code of svsm-hardened with what svsm says in its place, as a program for sed.
while read -r code; do
    says=$("$SNPEMU_COMMAND" explain "0xf:$code" | tr -s ' \n' ' ' |
        sed -E -n 's/.*Here svsm says (0x[0-9a-f]+:0x[0-9a-f]+).*/\1/p')
    if [ -n "$says" ]; then
        printf 's/terminated 0xf:%s"/terminated %s"/\n' "$code" "$says"
    fi
done < <("$SNPEMU_COMMAND" explain | sed -E -n 's/^ +0xf:(0x[0-9a-f]+) +svsm-hardened:.*/\1/p') \
    >"$work/codes"
[ "$(wc -l <"$work/codes")" -ge 30 ] || fail "explain knows only $(wc -l <"$work/codes") codes"

# The first line names the image; the request to terminate is in the outcome once more.
common() {
    sed -E -e 1d -e '/wrmsr GHCB value=0x[0-9a-f]*100 /d' -e '/exit msr_terminate /d' \
        -e '/^(cpu[^ ]+ )?exit /{
            s/ r[bcd]x=0x[0-9a-f]+//g
            s/ port_io rax=0x[0-9a-f]+( info1=0x[0-9a-f]*[13579bdf] )/ port_io\1/
        }' "$@"
}

alike=("$fixtures"/vmpl1/*.lua)
for scenario in "$fixtures"/svsm/*.lua; do
    if [ ! -e "$fixtures/svsm-hardened/$(basename "$scenario")" ]; then
        alike+=("$scenario")
    fi
done
[ "${#alike[@]}" -ge 60 ] || fail "only ${#alike[@]} fixtures found"

compare() {
    local scenario=$1 golden=${1%.lua}.golden status
    local at=$work/${scenario//\//_}

    SNPEMU_IMAGES=$work/images "$SNPEMU_COMMAND" run --oracles=cheap --trace="$at.trace" \
        --trace-form=golden "$scenario" >"$at.log" 2>&1
    status=$?
    # What is expected names svsm's code.
    if [ "$status" -ne 0 ] && ! { [ "$status" -eq 1 ] && grep -q 'what="terminated' "$golden"; }; then
        fail "$scenario: $(tail -n 1 "$at.log")"
    fi
    common "$golden" >"$at.svsm"
    common "$at.trace" | sed -f "$work/codes" >"$at.hardened"
    diff -U 1 "$at.svsm" "$at.hardened" >"$at.diff" ||
        fail "$scenario: svsm-hardened is not like svsm: $(tail -n +3 "$at.diff" | head -n 12)"
    return "$failed"
}
export -f common fail compare
export fixtures work failed
printf '%s\n' "${alike[@]}" | xargs -P 2 -I '{}' bash -c 'compare "$1"' compare '{}' || failed=1
printf '%d fixtures compared\n' "${#alike[@]}"

for golden in "$fixtures"/svsm-hardened/*.golden; do
    name=$(basename "$golden")
    if [ ! -e "$fixtures/svsm/$name" ]; then
        fail "svsm-hardened/$name: there is none for svsm to compare it with"
        continue
    fi
    cmp -s <(common "$golden" | sed -f "$work/codes") <(common "$fixtures/svsm/$name")
    differs=$?
    case $name in
    boot-*) [ "$differs" -eq 0 ] || fail "$name: the images boot differently" ;;
    *) [ "$differs" -eq 1 ] || fail "$name: nothing differs, one of them is enough" ;;
    esac
done
exit "$failed"
