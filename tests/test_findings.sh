#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of a finding: it is played again from launch, made simple, written as a scenario that
# 'snpemu test' takes, and a corpus shrinks to what it needs. Inputs here are made by hand, so that
# nothing hangs on what a fuzzer meets.
set -u

: "${SNPEMU_SOURCE_DIR:?}"
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"

# EXIT COUNT: another count in the list of APIC IDs at that exit, from the first request for it on; a
# record as emu/host/bytes_record.h has it.
record() {
    printf "\\x0$1\\x00\\x0b\\x00\\x00\\x00\\x00\\x00\\x$(printf %02x $(($2 % 256)))\\x$(printf %02x $(($2 / 256)))"
    printf '\x00\x00\x00\x00\x00\x00'
}

snpemu() { # COMMAND NAME STATUS PATTERN ARGUMENT...
    local command=$1 name=$2 status=$3 pattern=$4
    shift 4
    ends "$SNPEMU_COMMAND" "$command: $name" "$status" "$pattern" "$command" "$@"
}

same() { # NAME FILE FILE
    cmp "$2" "$3" >out 2>err
    note $? "$1"
}

# The list lies at the third exit; the rest is of no use, or too late.
{
    record 3 7
    record 2 4000
    record 2 4096
    record 0 1
    printf 'a cut one'
} >long.input
record 2 3 >wrong.input # one more than there are
record 2 2 >idle.input  # what an honest host says
: >honest.input

# ---- replay ----

snpemu replay 'the count is larger than the list' 1 '^oracle +overrun' svsm-percpu long.input --cpus 2 \
    --trace first.trace --scenario found.lua
snpemu replay 'an honest input' 0 '^outcome +reached serial_init' svsm-percpu honest.input --cpus 2 \
    --oracles none
"$SNPEMU_COMMAND" replay svsm-percpu long.input --cpus 2 --trace - >second.trace 2>err
same 'replay: another process gives the same trace' first.trace second.trace
"$SNPEMU_COMMAND" run found.lua --trace script.trace >out 2>err
same 'replay: the scenario gives the same trace as the input' first.trace script.trace

# ---- reduce ----

snpemu reduce 'one record is left' 0 '^5 records before, 1 after' svsm-percpu long.input --cpus 2 \
    -o short.input
grep -q '^violation-overrun-apic_id_list_read-apic_id_list-[0-9a-f]*$' err
note $? 'reduce: it names what it shows'
[ "$(wc -c <short.input)" -eq 16 ]
note $? 'reduce: what is left is one record'
snpemu replay 'what is left shows the same' 1 '^oracle +overrun' svsm-percpu short.input --cpus 2
snpemu reduce 'it stops when it must' 0 '^5 records before, .* [1-5] runs$' svsm-percpu long.input \
    --cpus 2 --runs 1 -o stopped.input

# ---- findings as files ----

# A scenario of the user's, with a host of its own and an image beside it; the campaign is elsewhere.
mkdir -p own/scenarios own/images deep/down/dir/corpus
cp "$SNPEMU_IMAGE_DIR/svsm-percpu.elf" own/images/guest.elf
cat >own/scenarios/three.lua <<'LUA'
-- Three CPUs, with gaps.
local ids = { 0, 4, 9 }
return {
  image = "../images/guest.elf",
  cpus = 3,
  host = { apic_ids = { ids = ids } },
  oracles = { "overrun" },
  expect = { outcome = "halted" } -- without the comma
} -- and no newline
LUA
truncate -s -1 own/scenarios/three.lua
cp long.input deep/down/dir/corpus/by-hand
snpemu fuzz 'the input of a corpus is a finding' 1 'findings  [1-9]' own/scenarios/three.lua \
    --corpus deep/down/dir --runs 1
found=$(ls deep/down/dir/findings/violation-overrun-*.lua)
[ "$(wc -c <"${found%.lua}.input")" -eq 16 ]
note $? 'a finding is made simple'
grep -q 'image = "../../../../own/images/guest.elf"' "$found" && grep -q '^-- violation (overrun' "$found"
note $? 'a finding says what it is, and finds its image'
snpemu test 'findings are fixtures' 0 ' passed, 0 failed$' deep/down/dir/findings
mv deep/down/dir/findings found
snpemu test 'elsewhere its image is not there' 2 "$(basename "$found" .lua): .*guest.elf" \
    "found/$(basename "$found")"

# ---- cmin ----

mkdir corpus
cp honest.input corpus/a
cp idle.input corpus/b
cp long.input corpus/c
cp short.input corpus/d
mkdir corpus/sub
: >corpus/.hidden
ls -lR corpus >before
snpemu cmin 'few are left' 0 '^4 inputs before, [23] after; both cover [1-9]' svsm-percpu corpus \
    --cpus 2 -o small
[ ! -e small/b ] && ls -lR corpus >after && cmp before after >/dev/null
note $? 'cmin: of two that do the same the shorter one stays, and the corpus as it was'
snpemu cmin 'a small corpus stays' 0 "^$(ls small | wc -l) inputs before, $(ls small | wc -l) after" \
    svsm-percpu small --cpus 2 -o smaller
diff -r small smaller >out 2>err
note $? 'cmin: once more is the same'
snpemu cmin 'a directory that is in use' 2 'small: is not empty' svsm-percpu corpus --cpus 2 -o small
mkdir nothing
snpemu cmin 'no input' 2 'nothing: holds no input' svsm-percpu nothing --cpus 2 -o none
snpemu cmin 'no directory' 2 'missing: No such file' svsm-percpu missing -o none
[ ! -e none ]
note $? 'cmin: what fails leaves nothing'

# ---- hostile files, wrong usage ----

head -c 1048576 /dev/urandom >huge.input
head -c 1024 huge.input >start.input
mkdir directory
mkfifo pipe
printf 'return { image = "svsm-percpu", on = { cpuid = { rax = 1 } } }' >handlers.lua
for file in huge start; do
    "$SNPEMU_COMMAND" replay svsm-percpu "$file.input" --margin 100000 --oracles none --trace "$file.trace" \
        >"$file.out" 2>err
    [ $? -le 1 ]
    note $? "replay: random bytes, $file"
done
same 'replay: what is beyond an input does not count' huge.trace start.trace
for command in replay 'reduce -o x' ; do
    for file in directory pipe /dev/zero; do
        snpemu ${command%% *} "$file is no file" 2 "$file: not a file" svsm-percpu "$file" \
            ${command#"${command%% *}"}
    done
    snpemu ${command%% *} 'a file that is not there' 2 'missing: .*No such file' svsm-percpu missing \
        ${command#"${command%% *}"}
    snpemu ${command%% *} 'a scenario with handlers' 2 'has handlers' handlers.lua honest.input \
        ${command#"${command%% *}"}
    snpemu ${command%% *} 'no input' 2 'a scenario or image, and an input' svsm-percpu \
        ${command#"${command%% *}"}
done
[ ! -e x ]
note $? 'reduce: what fails leaves nothing'
if [ "$(id -u)" -ne 0 ]; then
    : >secret.input
    chmod 0 secret.input
    snpemu replay 'a file that cannot be read' 2 'secret.input: .*Permission denied' svsm-percpu \
        secret.input
fi
snpemu reduce 'no place to write to' 2 'reduce: say where to' svsm-percpu honest.input
snpemu reduce 'a place that cannot be written' 2 'no/where: cannot be written' svsm-percpu \
    honest.input -o no/where
snpemu cmin 'no place to write to' 2 'cmin: say where to' svsm-percpu corpus
snpemu replay 'a scenario that cannot be written' 2 'no/where.lua' svsm-percpu honest.input \
    --scenario no/where.lua
snpemu replay 'a misspelt option' 2 'nearest: --scenario' svsm-percpu honest.input --scenaro x

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
