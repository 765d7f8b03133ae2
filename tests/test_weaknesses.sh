#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# docs/WEAKNESSES.md says of each weakness what fixtures/weaknesses/ shows: the same script on svsm and
# on svsm-hardened, what the oracles see there, outcome and verdict. No row without its two fixtures, no
# fixture without a row, and a weakness leaves nothing on svsm-hardened but an end with a code that
# 'snpemu explain' knows as its own. That the fixtures are as their golden traces say, snpemu test checks.
set -u

: "${SNPEMU_COMMAND:?}" "${SNPEMU_SOURCE_DIR:?}"
export NO_COLOR=1
document=$SNPEMU_SOURCE_DIR/docs/WEAKNESSES.md
fixtures=$SNPEMU_SOURCE_DIR/fixtures/weaknesses
failed=0
rows=0

fail() {
    printf 'FAIL %s\n' "$*"
    failed=1
}

# Without image, comments and what is expected the two of a pair are one script.
script_of() {
    sed -E -e '/^ *--/d' -e '/^  image = /d' -e '/^  expect = \{.*\},$/d' -e '/^  expect = \{$/,/^  \},$/d' "$1"
}

expected_oracles() {
    { tr -d '\n' <"$1" && echo; } | sed -E -n 's/.*expect = .*oracles = \{ *([^}]*[^} ])? *\}.*/\1/p' | tr -d '"' |
        sed -E 's/,? *$//; s/^$/-/'
}

# The outcome in the words of the table: "terminated 0xf:0x76, contained".
ended() {
    tail -n 1 "$1" |
        sed -E -n 's/.*outcome what=("[^"]*"|[^ ]*) .*verdict=([a-z-]+) .*/\1, \2/p' | tr -d '"'
}

while IFS='|' read -r _ name _ oracle svsm hardened _; do
    name=$(tr -d ' `' <<<"$name")
    oracle=$(sed 's/^ *//; s/ *$//' <<<"$oracle")
    svsm=$(sed 's/^ *//; s/ *$//' <<<"$svsm")
    hardened=$(sed 's/^ *//; s/ *$//' <<<"$hardened")
    rows=$((rows + 1))
    one=$fixtures/$name two=$fixtures/$name-hardened
    for file in "$one.lua" "$one.golden" "$two.lua" "$two.golden"; do
        [ -f "$file" ] || fail "$name: no $file"
    done
    [ -f "$two.golden" ] || continue

    grep -q '^  image = "svsm",$' "$one.lua" || fail "$name: not on svsm"
    grep -q '^  image = "svsm-hardened",$' "$two.lua" || fail "$name-hardened: not on svsm-hardened"
    diff <(script_of "$one.lua") <(script_of "$two.lua") >/dev/null ||
        fail "$name: the two scripts differ"

    [ "$oracle" = "$(expected_oracles "$one.lua")" ] ||
        fail "$name: oracles are '$(expected_oracles "$one.lua")', the row says '$oracle'"
    [ "$(expected_oracles "$two.lua")" = - ] || fail "$name-hardened: an oracle hits, or may"
    [ "$svsm" = "$(ended "$one.golden")" ] ||
        fail "$name: svsm ends '$(ended "$one.golden")', the row says '$svsm'"
    case $hardened in
    unaffected)
        # The script's own end, after a whole boot.
        [ "$(ended "$two.golden")" = 'refused, contained' ] &&
            grep -q 'svsm: firmware started, request loop' "$two.golden" ||
            fail "$name-hardened: ends '$(ended "$two.golden")', that is not unaffected"
        ;;
    'terminated 0xf:'*', contained')
        [ "$hardened" = "$(ended "$two.golden")" ] ||
            fail "$name-hardened: ends '$(ended "$two.golden")', the row says '$hardened'"
        code=${hardened#terminated }
        "$SNPEMU_COMMAND" explain "${code%,*}" 2>&1 | grep -q 'svsm-hardened:' ||
            fail "$name-hardened: ${code%,*} is no code of its own"
        ;;
    *) fail "$name: '$hardened' is no end for svsm-hardened" ;;
    esac
done < <(grep -E '^\| `' "$document")

for scenario in "$fixtures"/*.lua; do
    name=$(basename "$scenario" .lua)
    grep -q "^| \`${name%-hardened}\` |" "$document" || fail "$name: no row in docs/WEAKNESSES.md"
done
[ "$rows" -ge 20 ] || fail "only $rows rows found"
printf '%d weaknesses\n' "$rows"
exit "$failed"
