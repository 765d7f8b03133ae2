#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# svsm-hardened does what svsm does, wherever svsm does nothing wrong: in the place of svsm it gives
# the golden traces of all fixtures in vmpl1/, and of those in svsm/ that svsm-hardened/ has none of
# its own for. And where it has one for a hostile host, the traces do differ.
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

alike=("$fixtures"/vmpl1/*.lua)
for scenario in "$fixtures"/svsm/*.lua; do
    name=$(basename "$scenario" .lua)
    if [ ! -e "$fixtures/svsm-hardened/$name.lua" ]; then
        alike+=("$scenario")
    fi
done
[ "${#alike[@]}" -ge 60 ] || fail "only ${#alike[@]} fixtures found"
SNPEMU_IMAGES=$work/images "$SNPEMU_COMMAND" test -j 2 "${alike[@]}" >"$work/log" 2>&1 ||
    fail "svsm-hardened is not like svsm: $(grep -E '^FAIL|^snpemu' "$work/log")"
tail -n 1 "$work/log"

# The first line names the image.
for golden in "$fixtures"/svsm-hardened/*.golden; do
    name=$(basename "$golden")
    if [ ! -e "$fixtures/svsm/$name" ]; then
        fail "svsm-hardened/$name: there is none for svsm to compare it with"
        continue
    fi
    cmp -s <(tail -n +2 "$golden") <(tail -n +2 "$fixtures/svsm/$name")
    differs=$?
    case $name in
    boot-*) [ "$differs" -eq 0 ] || fail "$name: the images boot differently" ;;
    *) [ "$differs" -eq 1 ] || fail "$name: nothing differs, one of them is enough" ;;
    esac
done
exit "$failed"
