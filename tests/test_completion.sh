#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The completions in the shells themselves, and the manual pages: what they say comes from the
# command's tables, so this looks whether shells and man understand it.
set -u

: "${SNPEMU_SOURCE_DIR:?}" "${SNPEMU_PAGES_DIR:?}"
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"
unset SNPEMU_IMAGES

# A stand-in for the program, with the images where they lie beside the real one.
mkdir -p tools images here/sub
# shellcheck disable=SC2016
printf '#!/bin/sh\nprintf "%%s\\n" "$@" >"$WORDS"\n' >tools/snpemu
chmod +x tools/snpemu
touch images/svsm.elf images/svsm-percpu.elf here/one.lua here/two.lua here/three.txt here/my.elf
cd here || exit 1

# One line of what is typed, one of what is offered there, sorted. bash and zsh put it into the line,
# behind the words that are there (+); fish lists it alone.
cases='snpemu cm|cmin
snpemu run --exit-|+run --exit-budget
snpemu run --trace-form |+run +--trace-form full golden
snpemu run --trace-form=g|+run --trace-form=golden
snpemu run --oracles leak,dou|+run +--oracles leak,double-fetch
snpemu run --cpus 4 svs|+run +--cpus +4 svsm svsm-percpu
snpemu replay one.lua thr|+replay +one.lua three.txt
snpemu explain contai|+explain contained
snpemu explain 0xf:0xc|+explain 0xf:0xc
snpemu test o|+test one.lua
snpemu run m|+run my.elf
snpemu certificate --|+certificate --help --seed'

try_shell() { # SHELL SED-SCRIPT
    local lines line
    mapfile -t lines < <(printf '%s\n' "$cases" | cut -d '|' -f 1)
    python3 "$SNPEMU_SOURCE_DIR/tests/complete.py" "$1" \
        "$SNPEMU_PAGES_DIR/completions/snpemu.$1" "$work/tools/snpemu" "${lines[@]}" >"$work/all"
    for line in "${!lines[@]}"; do
        awk -v RS= -v n=$((line + 1)) 'NR == n' "$work/all" >"$work/got"
        printf '%s\n' "$cases" | sed -n "$((line + 1))s/.*|//p" | sed "$2" | tr ' ' '\n' |
            sed '/^$/d' | LC_ALL=C sort >"$work/wanted"
        diff "$work/wanted" "$work/got" >out 2>err
        note $? "$1: '${lines[line]}'"
        rm -f out err
    done
}

for shell in bash zsh fish; do
    case $shell in
    fish) script='s/\(^\| \)+[^ ]*//g' ;;
    *) script='s/\(^\| \)+/\1/g' ;;
    esac
    if command -v "$shell" >/dev/null; then
        try_shell "$shell" "$script"
    else
        printf 'skipped: no %s here\n' "$shell"
    fi
done

# Each command has its page; man and mandoc find nothing to say.
for name in $("$SNPEMU_COMMAND" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/-\1/p') ''; do
    page=$SNPEMU_PAGES_DIR/man/snpemu$name.1
    : >out
    [ -s "$page" ] 2>err
    note $? "a page for snpemu$name: docs/man/snpemu$name.man"
    if command -v man >/dev/null; then
        LC_ALL=C.UTF-8 man --warnings -l -Tutf8 -Z "$page" >/dev/null 2>out
        [ ! -s out ]
        note $? "man --warnings snpemu$name"
    fi
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W warning "$page" >out 2>&1
        note $? "mandoc -T lint snpemu$name"
    fi
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
