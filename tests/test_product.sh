#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Combinations of hostile answers to the list of APIC IDs, and honest lists: parts of what the
# tests product-hardened and product-honest run as a whole.
set -u

: "${SNPEMU_SOURCE_DIR:?}"
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"
product=$(dirname "$SNPEMU_COMMAND")/snpemu-product

played() { # NAME STATUS PATTERN ARGUMENT...
    ends "$product" "$@"
}

# NAME PATTERN: the last output has such a line.
has() {
    grep -qE -- "$2" out
    note $? "$1: no line '$2'"
}

# 16 lists, all else honest. By the outcomes alone our images differ in the lists that they panic
# about, and in the ID that comes twice.
played 'the lists, published' 1 '^16 runs, 6 neither pass nor contained' svsm --to 16 --list \
    --oracles none
has 'a panic has its text' '^hang +stuck +6  assertion failed: .*left: #, right: #$'
has 'other twice is taken' '^other twice +1 +0 +0 +1$'
has 'no BSP is a hang' '^no BSP +0 +0 +1 +1$'
has 'a line each' '^11 +hang +stuck +honest \| honest \| no BSP \| none$'
played 'a line at most' 1 '^\.\.\. and 5 more' svsm --to 16 --list --most 1 --oracles none
played 'the lists, repaired' 0 '^16 runs, 0 neither' svsm-hardened --to 16
has 'six lists are good' '^pass +reached tss_init +6$'
has 'other twice is not taken' '^other twice +0 +1 +1$'
played 'the lists, half the boot' 1 '^16 runs, 6 neither' svsm-percpu --to 16 --oracles none
has 'svsm-percpu ends elsewhere' '^pass +reached serial_init +7$'

# The oracles see what an outcome does not show.
played 'the lists, watched' 1 '^16 runs, 15 neither' svsm --to 16
has 'two CPUs of one ID' '^violation +reached tss_init +1  double-fetch, percpu$'
has 'reading on behind the list' '^violation +stuck +[1-9]  double-fetch, overrun; assertion failed'
has 'other twice is a violation' '^other twice +0 +0 +1 +1$'

# 22 changes, all else honest. How often the count is read, and an ID, shows.
played 'the changes, published' 1 '^22 runs, 8 neither' svsm --every 2640 --oracles none
has 'it reads the count five times' '^count@5 4097 .* 1$'
has 'and not six times' '^count@6 4097 +1 +0 +0 +0$'
has 'and an ID twice' '^id2@2 bsp .* 1$'
played 'the changes, repaired' 0 '^22 runs, 0 neither' svsm-hardened --every 2640 --oracles none
has 'it reads the count once' '^count@1 4097 +0 +1 +1$'
has 'and not twice' '^count@2 4097 +1 +0 +0$'
has 'and an ID once' '^id2@2 bsp +1 +0 +0$'
has 'a page that is taken is noticed' '^list taken +0 +1 +1$'

# A part of all; the same once more gives the same bytes.
played 'a part, published' 1 '^117 runs, [1-9][0-9]* neither' svsm --every 499
cp out first
"$product" svsm --every 499 2>err | cmp -s first -
note $? 'a second time all is the same'
played 'a part, repaired' 0 '^117 runs, 0 neither' svsm-hardened --every 499 --oracles none
played 'an unknown oracle' 2 'none of the name' svsm --oracles leek
played 'a range' 0 '^3 runs, 0 neither' svsm-hardened --from 100 --to 104 --every 2
played 'one CPU: rows that come to the same are one' 0 '15 first answers x 11 second .*x 1[0-5] lists' \
    svsm-hardened --cpus 1 --every 2003 --oracles none
played 'many CPUs' 0 ' 0 neither' svsm-hardened --cpus 1000 --from 1 --to 40 --every 3

# IMAGE N: the scenario of a combination ends as the combination does, to the instruction.
replayed() {
    local image=$1 number=$2 until ends
    "$product" "$image" --scenario "$number" >play.lua 2>err
    until=$(sed -n '1s/.*--until \([^ ]*\) .*/\1/p' play.lua)
    ends=$(sed -n 's/^-- It ends \(.*\)\.$/\1/p' play.lua)
    "$SNPEMU_COMMAND" run --until "$until" play.lua >out 2>err && [ -n "$ends" ] &&
        tr -s '\n ' ' ' <err | grep -qF "$ends"
    note $? "the scenario of combination $number of $image does not end '$ends'"
}

for number in 1 11 14 61 113 2641 5281 9740 15031 23999 31307 36961 45361 52001 57322 58080; do
    replayed svsm "$number"
    replayed svsm-hardened "$number"
done

# Honest lists pass.
for image in svsm svsm-percpu; do
    played "honest lists, $image" 0 '^20 honest lists of seed 3, .* 20 passed, 0 alarms' \
        "$image" --honest 20 --seed 3 --oracles none
done
played 'honest lists, watched' 0 ' 10 passed, 0 alarms' svsm-hardened --honest 10 --seed 3
# What is fetched twice is a mistake, whoever answers.
played 'honest lists, fetched twice' 1 'list 1, .* violation, oracles: double-fetch' svsm --honest 2
"$product" svsm-hardened --honest 20 --seed 3 --scenario 4 >play.lua 2>err
"$SNPEMU_COMMAND" run --until tss_init play.lua >out 2>err
note $? 'the scenario of an honest list'
played 'a list that does not pass is told' 1 'list 1, [0-9]+ CPUs: budget' svsm-hardened \
    --honest 3 --margin 1

# What cannot be done is said.
cat >scripted.lua <<'END'
return { image = "svsm" }
END
played 'no image' 2 'no image' --from 3
played 'two images' 2 'one too many' svsm svsm
played 'a scenario' 2 'is a scenario' scripted.lua
played 'no CPU' 2 '--cpus' svsm --cpus 0
played 'too many CPUs' 2 '--cpus' svsm --cpus 1024
played 'behind the last' 2 'there are 58080 combinations' svsm --from 58081
played 'no such scenario' 2 'there are 58080 combinations' svsm --scenario 58081
played 'no such function' 2 'no symbol named "nowhere"' svsm --until nowhere
played 'a function before the question' 2 'does not ask for the APIC IDs' svsm --until idt_init
played 'a function that is not reached' 2 'does not bring this image to svsm_panic' svsm \
    --until svsm_panic
played 'an image that does not ask' 2 'does not ask for the APIC IDs' port_io --until tss_fill
played 'an unknown option' 2 "unknown option '--seeds'; nearest: --seed" svsm --seeds 3
played 'help has the rows' 0 '^  count@4 ~0 +the count at its 4th read: all ones' --help

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
