#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command, end to end, on wrong input above all: each case ends with the right status and one
# line on standard error that says what is wrong, and leaves nothing half-written.
set -u

: "${SNPEMU_COMMAND:?}" "${SNPEMU_IMAGE_DIR:?}" "${SNPEMU_SOURCE_DIR:?}"
export SNPEMU_IMAGES=$SNPEMU_IMAGE_DIR NO_COLOR=1 LC_ALL=C
image=$SNPEMU_IMAGE_DIR/svsm-percpu.elf
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
        sed 's/^/    out: /' out | head -20
        sed 's/^/    err: /' err | head -20
    fi
}

# Wrong input. NAME STATUS SUBSTRING ARGUMENT...: one line on standard error, "snpemu: ..." with
# the substring.
wrong() {
    local name=$1 status=$2 part=$3 got
    shift 3
    timeout 120 "$SNPEMU_COMMAND" "$@" >out 2>err
    got=$?
    [ "$got" -eq "$status" ] && [ "$(wc -l <err)" -eq 1 ] && grep -q '^snpemu: ' err &&
        grep -qF -- "$part" err
    note $? "$name: status $got, wanted $status with '$part'"
}

# The same, found only when the run has begun: the line is the last one.
wrong_late() {
    local name=$1 status=$2 part=$3 got
    shift 3
    timeout 120 "$SNPEMU_COMMAND" "$@" >out 2>err
    got=$?
    [ "$got" -eq "$status" ] && tail -n 1 err | grep '^snpemu: ' | grep -qF -- "$part"
    note $? "$name: status $got, wanted $status with '$part'"
}

# NAME STATUS FILE SUBSTRING ARGUMENT...: the substring is in FILE (out or err).
right() {
    local name=$1 status=$2 file=$3 part=$4 got
    shift 4
    timeout 120 "$SNPEMU_COMMAND" "$@" >out 2>err
    got=$?
    [ "$got" -eq "$status" ] && grep -qF -- "$part" "$file"
    note $? "$name: status $got, wanted $status with '$part' in $file"
}

# NAME COMMAND...
check() {
    local name=$1
    shift
    "$@"
    note $? "$name"
}

# No file of a write that was given up.
no_leftover() {
    [ -z "$(find . -name '*.tmp.*')" ]
}

scenario() { # FILE TEXT
    printf '%s\n' "$2" >"$1"
}

# Inputs
scenario good.lua 'return { image = "svsm-percpu", cpus = 2, expect = { outcome = "halted" } }'
scenario wrong.lua 'return { image = "svsm-percpu", cpus = 2, expect = { outcome = "budget" } }'
scenario far.lua 'return { image = "svsm-percpu", snapshot = "before apic_id_list:9",
    expect = { outcome = "halted" } }'
scenario late.lua 'return { image = "svsm-percpu", snapshot = "at percpu_init",
    on = { msr_version = function(exit, reply) reply:honest() end },
    expect = { outcome = "halted" } }'
scenario silent.lua 'return { image = "svsm-percpu", cpus = 2 }'
scenario syntax.lua 'return { image = ] }'
scenario field.lua 'return { image = "svsm-percpu", cpu = 2 }'
scenario range.lua 'return { image = "svsm-percpu", cpus = 5000 }'
scenario noimage.lua 'return { cpus = 2, expect = { outcome = "halted" } }'
scenario missing.lua 'return { image = "no-such-image", expect = { outcome = "halted" } }'
scenario missingpath.lua 'return { image = "no/such.elf", expect = { outcome = "halted" } }'
scenario loop.lua 'while true do end'
scenario alloc.lua 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(100) .. i end return t'
scenario nofirmware.lua 'return { image = "svsm-percpu", firmware = "nofw.fd" }'
scenario number.lua 'return 42'
scenario handler.lua 'return { image = "svsm-percpu", cpus = 2, expect = { outcome = "halted" },
  on = { apic_id_list = function(exit, reply) reply:honest() local x = nil; x.y = 1 end } }'
scenario unused.lua 'return { image = "svsm-percpu", cpus = 2, expect = { outcome = "halted" },
  on = { ap_creation = function(exit, reply) reply:honest() end } }'
scenario slow.lua 'return { image = "svsm-percpu", cpus = 2, expect = { outcome = "halted" },
  on = { port_io = function(exit, reply) for i = 1, 8000000 do end reply:honest() end } }'
scenario turns.lua 'return { image = "svsm", cpus = 2, firmware = false,
  schedule = { order = { { cpu = 2, instructions = 1 } } } }'
scenario two.lua 'return { image = "svsm", cpus = 2, firmware = true,
  schedule = { order = { { cpu = 1, instructions = 100 }, { cpu = 0, instructions = 7 } } },
  expect = { outcome = "halted" } }'
scenario random.lua 'return { image = "svsm", cpus = 4, firmware = true,
  schedule = { random = true, quantum = 5000 }, expect = { outcome = "halted" } }'
printf '\033[31mred' >control.txt
printf 'text\n' >text.txt
head -c 8192 "$image" >page.fd
head -c 20971520 /dev/zero >huge.fd
: >empty.elf
printf '\177ELF' >magic.elf
head -c 100 "$image" >header.elf
head -c 20000 "$image" >truncated.elf
cp "$image" 'with space.elf'
mkdir -p empty fixtures/b fixtures/a readonly many
cp good.lua fixtures/b/2.lua
cp good.lua fixtures/a/1.lua
mkfifo fifo.lua

# Commands and options
wrong 'no command' 2 'no command'
wrong 'unknown command' 2 'nearest: run' rum good.lua
wrong 'unknown command, nothing near' 2 'there are run, report, test, fuzz, replay, reduce, cmin, explain and certificate' frobnicate
wrong 'option before the command' 2 'the command comes first' -- run
wrong 'main option with a value' 2 '--version takes no value' --version=3
wrong 'unknown main option' 2 'nearest: --version' --versoin
wrong 'empty command' 2 'unknown command' ''
wrong 'command with control characters' 2 '?[31m' "$(cat control.txt)"
wrong 'run: unknown option' 2 'nearest: --trace' run --trase x good.lua
wrong 'run: unknown short option' 2 "unknown option '-x'" run -x good.lua
wrong 'run: option without its value' 2 '--cpus needs a value' run good.lua --cpus
wrong 'run: nothing to run' 2 'no scenario or image' run
wrong 'run: no such firmware' 2 'no-such.fd: cannot open' run svsm-percpu --firmware ./no-such.fd
wrong 'run: no such built firmware' 2 "no image 'nothing.bin'" run svsm-percpu --firmware nothing
wrong 'run: an ELF as firmware' 2 'GUID envelope at gpa' run svsm-percpu --firmware page.fd
wrong 'run: firmware of odd size' 2 'whole 4 KiB pages' run svsm-percpu --firmware text.txt
wrong 'run: the firmware of a scenario' 2 'nofw.fd' run nofirmware.lua
wrong 'run: two images' 2 'one too many' run good.lua good.lua
wrong 'run: empty path' 2 'path is empty' run ''
wrong 'test: unknown option' 2 'nearest: --accept' test --acept .
wrong 'test: value where none belongs' 2 '--accept takes no value' test --accept=1 .
wrong 'test: nothing to test' 2 'no scenario or directory' test
wrong 'test: no jobs' 2 '--jobs' test -j 0 good.lua
wrong 'test: jobs without value' 2 '-j needs a value' test good.lua -j
wrong 'certificate: an argument' 2 'one word too many' certificate svsm-percpu
wrong 'certificate: no number' 2 '--seed' certificate --seed x
wrong 'explain: nonsense' 2 'no termination such as' explain frobnicate-it
wrong 'explain: near an outcome' 2 'nearest: halted' explain haltd
wrong 'explain: unknown code' 2 'no meaning is known' explain 0xf:0xf7
wrong 'explain: set out of range' 2 'no termination such as' explain 0x10:0x0
wrong 'explain: unknown set' 2 'no termination such as' explain 0x7:
wrong 'explain: two things' 2 'one word too many' explain halted hang
wrong 'explain: three things' 2 'one word too many' explain a b c
wrong 'explain: empty' 2 'explain' explain ''

# Numbers
for value in -1 0 4097 99999999999999999999999 4x '' ' 4' 4.0 +4 0x 0x0x4; do
    wrong "cpus '$value'" 2 "--cpus: '" run good.lua "--cpus=$value"
done
for value in -1 0 junk 18446744073709551616 ''; do
    wrong "budget '$value'" 2 "--budget: '" run good.lua "--budget=$value"
    wrong "exit budget '$value'" 2 "--exit-budget: '" run good.lua "--exit-budget=$value"
done
for value in -1 18446744073709551616 x ''; do
    wrong "seed '$value'" 2 "--seed: '" run good.lua "--seed=$value"
done
for value in '' ',' '0,' ',0' '0,,1' 0,4294967296 0,-1 0,x '0, 1' 0-3; do
    wrong "APIC IDs '$value'" 2 '--apic-ids' run good.lua "--apic-ids=$value"
done
wrong 'more APIC IDs than a list holds' 2 'more than 8192' run good.lua \
    --apic-ids "$(seq -s, 0 8192)"
wrong 'more APIC IDs than CPUs can be' 2 'give the number of CPUs' run good.lua \
    --apic-ids "$(seq -s, 0 4096)"
wrong 'trace form' 2 'neither full nor golden' run good.lua --trace t --trace-form silver
wrong 'trace form without a trace' 2 'needs --trace' run good.lua --trace-form golden
wrong 'empty trace path' 2 '--trace: the path is empty' run good.lua --trace=
wrong 'empty symbol' 2 '--until' run good.lua --until=
wrong 'nearly a symbol' 2 'nearest: percpu_init' run good.lua --until percpu_iint
wrong 'unknown symbol' 2 'no symbol named "no_such_symbol"' run good.lua --until no_such_symbol
wrong 'symbol with control characters' 2 '?[31m' run good.lua --until "$(cat control.txt)"

for value in 0 '' x -1 1x ' 1' 99999999999999999999999; do
    wrong "the exit's number '$value'" 2 'a number from 1 on' run good.lua \
        --stop-at-exit="msr_version:$value"
done
wrong 'unknown exit' 2 'nearest: msr_version' run good.lua --stop-at-exit msr_versoin
wrong 'unknown exit, with a number' 2 'nearest: port_io' run good.lua --stop-at-exit port_oi:3
wrong 'no exit' 2 '--stop-at-exit: the name is empty' run good.lua --stop-at-exit=
wrong 'unknown dump' 2 "'percup' is unknown; it is 'percpu'" run good.lua --dump percup
wrong 'empty dump' 2 "it is 'percpu'" run good.lua --dump=
wrong 'dump without a value' 2 '--dump needs a value' run good.lua --dump
wrong 'run: empty firmware' 2 'firmware' run svsm --firmware empty.elf
wrong 'run: a firmware of 20 MiB' 2 'huge.fd' run svsm --firmware huge.fd
wrong 'run: the firmware is a directory' 2 'irectory' run svsm --firmware ./empty
wrong 'run: the firmware is a pipe' 2 'a device, pipe or socket' run svsm --firmware ./fifo.lua
wrong 'schedule of a vCPU that there is not' 2 'there is no vCPU 2: cpus is 2' run turns.lua
wrong 'the same, by the number of CPUs' 2 'there is no vCPU 1: cpus is 1' run two.lua --cpus 1

# Paths
wrong 'scenario is missing' 2 'nowhere.lua' run nowhere.lua
wrong 'scenario is a directory' 2 'is a directory' run fixtures
wrong 'scenario is a pipe' 2 'not a regular file' run fifo.lua
wrong 'neither scenario nor ELF' 2 'neither a scenario' run ./text.txt
wrong 'a device' 2 'neither a scenario' run /dev/null
wrong 'unknown built image' 2 'SNPEMU_IMAGES' run no-such-image
wrong 'long name' 2 'File name too long' run "./$(printf 'x%.0s' $(seq 300)).lua"
wrong 'path through a file' 2 'Not a directory' run text.txt/a.lua
wrong 'test: missing path' 2 'nowhere' test nowhere
wrong 'test: no scenario in it' 2 'holds no scenario' test empty
wrong 'test: not a scenario' 2 'not a scenario' test text.txt
wrong 'test: out is a file' 2 '--out' test good.lua --out text.txt
wrong 'test: out below nothing' 2 '--out' test good.lua --out no/such/dir
wrong 'test: report below nothing' 2 'no/such' test good.lua --junit no/such/file.xml
wrong 'test: report is a directory' 2 'Is a directory' test good.lua --junit empty
if [ "$(id -u)" -ne 0 ]; then
    cp good.lua unreadable.lua && chmod 0 unreadable.lua
    cp "$image" unreadable.elf && chmod 0 unreadable.elf
    cp good.lua readonly/good.lua && chmod 555 readonly
    : >unwritable && chmod 444 unwritable
    wrong 'unreadable scenario' 2 'Permission denied' run unreadable.lua
    wrong 'unreadable image' 2 'Permission denied' run unreadable.elf
    wrong 'trace into a read-only directory' 2 'Permission denied' run good.lua --trace readonly/t
    wrong 'trace over a read-only file' 2 'Permission denied' run good.lua --trace unwritable
    chmod 755 readonly
fi

# Images
wrong 'empty ELF' 2 'empty.elf' run empty.elf
wrong 'ELF magic only' 2 'magic.elf' run magic.elf
wrong 'ELF header only' 2 'header.elf' run header.elf
wrong 'truncated ELF' 2 'truncated.elf' run truncated.elf
wrong 'not an SVSM' 2 'true' run /bin/true
wrong "scenario's image is unknown" 2 'no-such-image' run missing.lua
wrong "scenario's image is missing" 2 'no/such.elf' run missingpath.lua

# Scripts
wrong 'syntax error' 2 'syntax.lua:1' run syntax.lua
wrong 'unknown field' 2 "nearest known is 'cpus'" run field.lua
wrong 'number out of range' 2 'cpus' run range.lua
wrong 'no image' 2 'image' run noimage.lua
wrong 'not a table' 2 'number.lua' run number.lua
wrong 'endless loop' 2 'loop.lua' run loop.lua
wrong 'endless allocation' 2 'alloc.lua' run alloc.lua

# What is written appears whole or not at all
wrong_late 'trace on a full disk' 2 'No space left' run good.lua --trace /dev/full
wrong 'trace below nothing' 2 'no/such' run good.lua --trace no/such/trace
wrong 'trace is a directory' 2 'Is a directory' run good.lua --trace empty
(
    trap '' XFSZ
    ulimit -f 1
    timeout 120 "$SNPEMU_COMMAND" run good.lua --trace too-long 2>&1 >/dev/null
    echo "status $?"
) | cat >err
check 'trace beyond the file size limit' eval 'tail -n 2 err | head -n 1 |
    grep -q "^snpemu: .*too-long.*File too large" && tail -n 1 err | grep -qx "status 2"'
check 'it left nothing' eval '[ ! -e too-long ] && no_leftover'
printf 'old\n' >kept
wrong 'a failed run keeps the old trace' 2 "no symbol" run good.lua --trace kept --until nothing
check 'the old trace is there' eval '[ "$(cat kept)" = old ]'
"$SNPEMU_COMMAND" run good.lua >/dev/full 2>err
status=$?
check 'console on a full disk' eval '[ $status -eq 2 ] && grep -q "^snpemu: standard output" err'

# What is right
right 'version' 0 out 'trace format: 1' --version
right 'help' 0 out 'explain' --help
for command in run test explain certificate; do
    right "help of $command" 0 out "Usage: snpemu $command" "$command" --help
done
right 'help of one option' 0 out '--exit-budget' run --help
check 'all of help is on standard output' eval '[ ! -s err ]'
right 'the certificate of a seed' 0 out 'BEGIN CERTIFICATE' certificate --seed 7
cp out seed-7.pem
right 'the certificate of seed 1' 0 out 'END CERTIFICATE' certificate
check 'another seed, another key' eval '! cmp -s out seed-7.pem'
check 'its lines are 64 characters long' eval '[ "$(sed -n 2p out | tr -d "\n" | wc -c)" -eq 64 ]'
check 'it says that it is a test key' eval 'sed "/^-/d" out | base64 -d | grep -qa "TEST KEY, not an AMD VCEK"'
right 'explain a termination' 0 out 'GHCB response invalid' explain 0xf:0x6
right 'explain as printed' 0 out 'GHCB response invalid' explain terminated 0xF:6
right 'explain an MSR value' 0 out 'GHCB response invalid' explain 0x6f100
right 'explain our own image' 0 out 'svsm-hardened: not where it was linked' explain 0xf:0x41
right 'explain an outcome' 0 out 'contained' explain nested-fault
right 'explain a verdict' 0 out 'hostile' explain contained
right 'explain a set' 0 out '0x1:0xc   Linux guest kernel: Secure AVIC failed' explain 0x1:
right 'explain what a guest means' 0 out 'COCONUT-SVSM' explain 0x0:0x0
right 'explain a list' 0 out 'emulator-bug' explain verdicts
right 'explain all' 0 out 'triple-fault' explain
right 'a scenario as expected' 0 err 'expected  met' run good.lua
check 'the console is on standard output' eval '[ -s out ]'
right 'a scenario, not as expected' 1 err 'not met' run wrong.lua
right 'without expectation: pass' 0 err 'verdict   pass' run silent.lua
right 'an image by name' 0 err 'outcome   halted' run svsm-percpu --cpus 3
right 'an image by path' 0 err 'outcome   halted' run "$image" --cpus 0x3
right 'a path with a space' 0 err 'outcome   halted' run 'with space.elf'
right 'the instruction budget' 1 err 'outcome   budget' run svsm-percpu --budget 1000
right 'the exit budget' 1 err 'outcome   budget' run svsm-percpu --exit-budget 2
right 'until a symbol' 0 err 'outcome   reached vc_get_apic_ids' run svsm-percpu \
    --until vc_get_apic_ids
right 'until exit' 0 err 'exit port_io, number 3 of its name' run svsm-percpu --stop-at-exit port_io:3
right 'until the first' 0 err 'number 1 of its name' run svsm-percpu --stop-at-exit msr_version
right 'an exit that does not come' 0 err 'outcome   halted' run svsm-percpu \
    --stop-at-exit ap_creation:0x7fffffffffffffff
right 'per-CPU areas' 0 out 'VMSA of VMPL1' run svsm --cpus 2 --dump percpu
check 'a row for each vCPU' eval '[ "$(grep -cE "^ +[01] +[01]  0x" out)" -eq 2 ]'
right 'before percpu_init there are none' 0 err 'outcome   reached' run svsm --cpus 2 --dump percpu \
    --stop-at-exit msr_version
check 'and it says so' eval '! grep -qE "^ +[01] +[01]  0x" out'
right 'a schedule' 0 err 'expected  met' run two.lua
right 'a random schedule' 0 err 'expected  met' run random.lua
"$SNPEMU_COMMAND" run random.lua --seed 2 --trace seed-2 --trace-form golden >/dev/null 2>&1
"$SNPEMU_COMMAND" run random.lua --seed 2 --trace seed-2b --trace-form golden >/dev/null 2>&1
"$SNPEMU_COMMAND" run random.lua --seed 3 --trace seed-3 --trace-form golden >/dev/null 2>&1
check 'one seed, one schedule' cmp seed-2 seed-2b
check 'another seed, another one' eval '! diff -q <(grep -o " *run vcpu=.*" seed-2) \
    <(grep -o " *run vcpu=.*" seed-3) >/dev/null'
check 'the trace says which vCPU and VMPL' grep -q '^cpu1.vmpl1 run vcpu=1 vmpl=1 after=' seed-2
if command -v objcopy >/dev/null; then
    objcopy --redefine-sym vc_get_apic_ids=_ZN4svsm2vc15vc_get_apic_ids17h0123456789abcdefE \
        "$image" rust.elf
    for name in vc_get_apic_ids vc::vc_get_apic_ids svsm::vc::vc_get_apic_ids; do
        right "until the Rust item $name" 0 err 'outcome   reached svsm::vc::vc_get_apic_ids' run rust.elf \
            --until "$name"
    done
    wrong 'a Rust item that is not there' 2 'no symbol named "vc::get_apic_ids"' run rust.elf \
        --until vc::get_apic_ids
fi
right 'the built-in firmware' 0 out '61 cases, 0 failed' run svsm --cpus 2
right 'many vCPUs at VMPL1' 0 out 'vCPUs started: 63' run svsm --cpus 64
right 'firmware by path' 0 out '61 cases, 0 failed' run svsm --firmware "$SNPEMU_IMAGE_DIR/firmware.bin"
right 'without firmware' 0 err 'halted' run svsm-percpu --firmware none
right 'sparse APIC IDs' 0 err '         4' run svsm-percpu --apic-ids 0,2,4
right 'an ID twice' 0 err 'halted' run svsm-percpu --apic-ids 0,2,2
right 'the boot ID twice: it panics' 1 err 'verdict   hang' run svsm-percpu --apic-ids 0,2,0
right 'trace to standard output' 0 out 'snpemu-trace 1 golden image=svsm-percpu cpus=2' \
    run good.lua --trace - --trace-form golden
check 'nothing else is there' eval '! grep -vE "^(snpemu-trace|exit|reply|[a-z_]+)( |$)" out | grep .'
right 'trace to a pipe' 0 out 'digest sha256=' run good.lua --trace /dev/stdout
right 'trace to a file' 0 err 'halted' run good.lua --trace trace
check 'the trace is whole' eval 'tail -n 1 trace | grep -qE "^digest sha256=[0-9a-f]{64}$"'
check 'nothing was left beside it' no_leftover
ln -s trace link
right 'trace through a link' 0 err 'halted' run good.lua --trace link --seed 7
check 'the link is still one' eval '[ -L link ] && grep -q "seed=7" trace'
right 'a script fails while it runs' 2 err 'handler.lua:2' run handler.lua
right 'a handler that never ran' 1 err 'ap_creation' run unused.lua

# Fixtures
last_line() {
    [ "$(tail -n 1 out)" = "$1" ]
}
right 'no golden trace' 1 out '--accept writes it' test fixtures
check 'two failed' last_line '0 passed, 2 failed'
check 'in the order of their names' eval '[ "$(grep -n a/1 out | head -n 1 | cut -d: -f1)" -lt \
    "$(grep -n b/2 out | head -n 1 | cut -d: -f1)" ]'
right 'accepted' 0 out 'accepted fixtures/a/1' test --accept fixtures -j 2
check 'two golden traces' eval '[ -s fixtures/a/1.golden ] && cmp -s fixtures/a/1.golden \
    fixtures/b/2.golden && no_leftover'
right 'they pass' 0 out 'pass fixtures/b/2' test fixtures
check 'two passed' last_line '2 passed, 0 failed'
check 'silent on standard error' eval '[ ! -s err ]'
sed -i 's/^exit cpuid/exit cpu_id/' fixtures/a/1.golden
right 'a golden trace that differs' 1 out '+exit cpuid' test fixtures --out kept-out --junit r.xml
check 'the other passes' last_line '1 passed, 1 failed'
check 'what failed is kept' eval 'grep -q "^-exit cpu_id" kept-out/fixtures__a__1.diff &&
    tail -n 1 kept-out/fixtures__a__1.trace | grep -q "^digest" &&
    cmp -s kept-out/fixtures__a__1.lua good.lua && [ ! -e kept-out/fixtures__b__2.diff ]'
check 'the report says so' eval 'grep -q "tests=\"2\" failures=\"1\" errors=\"0\"" r.xml &&
    grep -q "classname=\"fixtures.a\" name=\"1\"" r.xml'
mkdir 'odd & <"name">' && cp good.lua 'odd & <"name">/a.lua'
right 'odd names' 1 out '0 passed, 1 failed' test 'odd & <"name">' --junit odd.xml
check 'the report is XML' python3 -c 'import xml.dom.minidom as m; m.parse("odd.xml"); m.parse("r.xml")'
right 'a change is shown when accepted' 0 out '-exit cpu_id' test --accept fixtures
right 'and passes' 0 out '2 passed, 0 failed' test fixtures
right 'not accepted when it did not go as expected' 1 out 'expected budget' test --accept wrong.lua
check 'no golden trace of it' eval '[ ! -e wrong.golden ]'
right 'the run never comes to the snapshot' 2 out 'ends before it comes to that place' test far.lua
right 'a handler before the snapshot' 2 out 'a handler has answered before' test late.lua
right 'refused without expect' 2 out "no 'expect'" test silent.lua
right 'a script with an error is a failed fixture' 2 out 'syntax.lua:1' test syntax.lua good.lua
check 'the other one has run' last_line '0 passed, 2 failed'
right 'a handler that never ran' 1 out 'ap_creation' test unused.lua
mkdir dir.golden && cp good.lua dir.lua
right 'the golden trace is a directory' 2 out 'dir.golden' test --accept dir.lua
wrong_late 'report on a full disk' 2 'No space left' test fixtures --junit /dev/full
(
    trap '' XFSZ
    ulimit -f 0
    timeout 120 "$SNPEMU_COMMAND" test --accept good.lua 2>/dev/null | cat >/dev/null
)
check 'no golden trace on a full disk' eval '[ ! -e good.golden ] && no_leftover'

# A worker that is killed fails its fixture, and no other.
first_child() { # PID
    cut -d' ' -f1 "/proc/$1/task/$1/children" 2>/dev/null
}
"$SNPEMU_COMMAND" test slow.lua fixtures/a/1.lua >out 2>err &
pid=$!
for _ in $(seq 100); do
    child=$(first_child $pid)
    [ -n "$child" ] && break
    sleep 0.05
done
sleep 0.3
[ -n "$child" ] && kill -KILL "$child"
wait $pid
status=$?
check 'a crash of a worker' eval '[ $status -eq 3 ] && grep -q "FAIL slow: the emulator crashed: signal 9" out &&
    last_line "1 passed, 1 failed"'

# Interrupted: one line, nothing written.
"$SNPEMU_COMMAND" run slow.lua --trace interrupted >out 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
status=$?
check 'run: interrupted' eval '[ $status -eq 143 ] && tail -n 1 err | grep -qx "snpemu: interrupted" &&
    [ ! -e interrupted ] && no_leftover'
"$SNPEMU_COMMAND" test slow.lua --junit interrupted.xml >out 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
status=$?
check 'test: interrupted' eval '[ $status -eq 143 ] && grep -qx "snpemu: interrupted" err &&
    [ ! -e interrupted.xml ] && no_leftover'

# What takes longer than a second says how far it is: at a terminal, on a line that is gone before
# anything else is written.
scenario endless.lua 'return { image = "svsm-percpu", cpus = 2, exit_budget = 1000000000000,
  budget = 1000000000000, on = { page_state_change = { keep_marks = true, honest = false } } }'
TERM=xterm python3 "$SNPEMU_SOURCE_DIR/tests/terminal.py" 'million instructions' \
    "$SNPEMU_COMMAND" run endless.lua >out 2>err
status=$?
check 'run: progress at a terminal' eval '[ $status -eq 130 ] &&
    tr "\r" "\n" <out | grep -qE "^\[[0-9]+ s\] [0-9.]+ million instructions, last exit: page_state_change" &&
    grep -qP "\r\x1b\[K  \|   \.\.\. and" out && tail -n 1 out | grep -q "^snpemu: interrupted"'
timeout -s INT 2 "$SNPEMU_COMMAND" run endless.lua >out 2>err
check 'run: no such line elsewhere' eval '! grep -qP "\x1b|\r" err'

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
