#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Coverage, backtraces and the last instructions, as the commands write them; genhtml and lcov, where
# they are, read the tracefiles.
set -u
. "${SNPEMU_SOURCE_DIR:?}/tests/tally.sh"

fixtures=$SNPEMU_SOURCE_DIR/fixtures
hang=$fixtures/percpu/one-page-count-4096.lua
good=$fixtures/percpu/honest-4.lua

# FILE PATTERN NAME: a line of the file matches.
holds() {
    grep -qE -- "$2" "$1"
    note $? "$3: '$2' in $1"
}

# A NAME: the same bytes as in B.
same() {
    cmp "$1" "$2" >out 2>err
    note $? "$3: $1 and $2"
}

run() { ends "$SNPEMU_COMMAND" "$@"; }

run "a run" 0 '^outcome   halted' run "$good" --coverage one.info
holds one.info '^SF:svsm/percpu\.c$' "sources"
holds one.info '^FNDA:1,percpu_init$' "a function"
holds one.info '^DA:[0-9]+,0$' "a line that did not run"
cp one.info two.info
run "added to a file" 0 '^outcome   halted' run "$good" --coverage two.info
holds two.info '^FNDA:2,percpu_init$' "added"
run "again" 0 '^outcome   halted' run "$good" --coverage again.info
same one.info again.info "two processes"

run "fixtures" 0 '^2 passed' test -j1 "$good" "$hang" --coverage j1.info
run "fixtures, two at a time" 0 '^2 passed' test -j2 "$good" "$hang" --coverage j2.info
same j1.info j2.info "however many processes"
run "the same by runs" 0 'expected  met' run "$hang" --coverage one.info
same one.info j1.info "fixtures and runs"
run "fixtures as blocks" 0 '^2 passed' test -j2 "$good" "$hang" --coverage j2.drcov
run "blocks of a run" 0 'expected  met' run "$good" --coverage one.drcov
run "blocks, added" 0 'expected  met' run "$hang" --coverage one.drcov
same one.drcov j2.drcov "blocks of fixtures and of runs"

run "a guest of the SVSM's" 0 '^outcome   halted' run svsm --cpus 2 --coverage whole.info
holds whole.info '^SF:fixtures/guests/firmware/calls\.c$' "the firmware's sources"
holds whole.info '^SF:svsm/request\.c$' "the SVSM's"

"$SNPEMU_COMMAND" fuzz svsm-percpu --cpus 2 --runs 40 --corpus corpus --coverage fuzz.info >out 2>err
[ $? -le 1 ]
note $? "a corpus"
holds fuzz.info '^FNDA:[1-9][0-9]*,vc_get_apic_ids$' "what a corpus reaches"

if command -v genhtml >/dev/null; then
    (cd "$SNPEMU_SOURCE_DIR" && genhtml -q "$work/whole.info" -o "$work/html") >out 2>err
    note $? "genhtml"
    grep -q 'percpu_init' html/svsm/percpu.c.gcov.html
    note $? "genhtml shows the source"
    lcov -q -a j1.info -a whole.info -o sum.info >out 2>err
    note $? "lcov adds them"
else
    echo "no genhtml (Debian: lcov): its part is left out"
fi

run "an unknown name" 2 "ends in neither .info nor .drcov" run "$good" --coverage x.txt
run "an unknown format" 2 "neither lcov nor drcov" run "$good" --coverage x --coverage-format gcov
run "a format alone" 2 "needs --coverage FILE" run "$good" --coverage-format lcov
echo 'SF:x' >bad.info
run "a file that is cut" 2 "bad.info: line 1: the file ends inside a block" \
    run "$good" --coverage bad.info
[ "$(cat bad.info)" = 'SF:x' ]
note $? "it is left as it was"
run "blocks over lines" 2 "bad.info: is no drcov file" \
    run "$good" --coverage bad.info --coverage-format drcov
run "no such directory" 2 "none/x.info" run "$good" --coverage none/x.info
objcopy --strip-debug "$SNPEMU_IMAGE_DIR/svsm-percpu.elf" bare.elf 2>/dev/null &&
    run "no DWARF" 2 "bare.elf: has no lines of source" run bare.elf --cpus 4 --coverage x.info
[ ! -e x.info ]
note $? "nothing is written then"

# Backtraces: by the image's call frame information, and without.
run "a backtrace" 0 '^backtrace 0x[0-9a-f]{16}  svsm_panic\+0x0 at panic_hang.S:' run "$hang"
holds err '^ {10}0x[0-9a-f]{16}  percpu_init\+0x[0-9a-f]+ at percpu.c:[0-9]+$' "a caller"
run "in a trace" 0 'how=called @percpu_init\+0x[0-9a-f]+ \(percpu.c:[0-9]+\)$' \
    run "$hang" --trace -
sed "s|image = \"svsm-percpu\"|image = \"$work/bare.elf\"|" "$hang" >bare.lua
run "without DWARF" 0 '^ {10}0x[0-9a-f]{16}  \? percpu_init\+0x[0-9a-f]+$' run bare.lua

run "the last instructions" 0 '^ \.\.\. 0x[0-9a-f]{16}  jmp ' run "$hang" --trace-insns=5
[ "$(grep -cE '^ {5}0x[0-9a-f]{16}  ' err)" -eq 5 ]
note $? "as many as were asked for"
run "in the trace, too" 0 ' insn ran text=' run "$hang" --trace-insns --trace -
run "too many" 2 "trace-insns" run "$hang" --trace-insns=100001

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
