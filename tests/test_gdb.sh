#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's gdb in batch mode against `snpemu run --gdb`: forward and back, breakpoints, watchpoints,
# registers, memory, threads, the monitor's commands, Ctrl-C, detaching, and clients that vanish or
# talk nonsense. Without a gdb, or with one that was built without Python, it is skipped.
set -u
: "${SNPEMU_COMMAND:?}" "${SNPEMU_IMAGE_DIR:?}" "${SNPEMU_SOURCE_DIR:?}"
if ! gdb -nx -batch -ex 'python print(1)' >/dev/null 2>&1; then
    echo 'skipped: there is no gdb (Debian package gdb) that has Python'
    exit 77
fi
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"
pid='' port=''

# SUBJECT ARGUMENT...: let it wait for gdb at any free port, which is in `port` then. Its output is
# in `run`.
listen() {
    "$SNPEMU_COMMAND" run "$@" --gdb=0 >run 2>&1 &
    pid=$!
    port=''
    for _ in $(seq 300); do
        port=$(sed -n 's/^gdb .*target remote 127\.0\.0\.1:\([0-9]*\)$/\1/p' run | tail -n 1)
        [ -n "$port" ] && return
        sleep 0.1
    done
    cat run
    exit 1
}

# NAME STATUS IMAGE, gdb's commands from standard input: its output is in `out`, and the run ends
# with that status.
debug() {
    local name=$1 status=$2 image=$3 got
    {
        printf 'set pagination off\nset confirm off\nset width 0\n'
        printf 'target remote 127.0.0.1:%s\n' "$port"
        cat
    } >commands
    timeout 200 gdb -nx -batch -x commands "$SNPEMU_IMAGE_DIR/$image.elf" >out 2>&1
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$pid" 2>/dev/null; then
        kill -TERM "$pid"
        wait "$pid"
        note 1 "$name: the run did not end"
        return
    fi
    wait "$pid"
    got=$?
    cp run err
    [ "$got" -eq "$status" ]
    note $? "$name: status $got, wanted $status"
}

# NAME PATTERN...: lines of gdb's output match, in this order.
says() {
    local name=$1 line=0 at pattern
    shift
    for pattern in "$@"; do
        at=$(tail -n +$((line + 1)) out | grep -nE -m 1 -- "$pattern" | cut -d: -f1)
        if [ -z "$at" ]; then
            note 1 "$name: no line matches '$pattern' after line $line"
            return
        fi
        line=$((line + at))
    done
    note 0 "$name"
}

# The value that gdb printed as NAME=VALUE.
value() {
    sed -n "s/^$1=//p" out | head -n 1
}

# ---- forward and back ----

listen svsm-percpu --cpus 4
debug back 0 svsm-percpu <<'END'
printf "launch=%lu\n", $instructions
break percpu_init
continue
printf "init=%lu\n", $instructions
printf "rip=%#lx\n", $rip
stepi
stepi
printf "two=%lu\n", $instructions
reverse-stepi
reverse-stepi
printf "back=%lu\n", $instructions
printf "back_rip=%#lx\n", $rip
watch CPU_COUNT
continue
printf "written=%lu\n", $instructions
hbreak percpu_init
continue
printf "end=%lu\n", $instructions
monitor outcome
monitor digest
reverse-stepi
printf "before_end=%lu\n", $instructions
reverse-continue
printf "write=%lu\n", $instructions
x/i $pc
reverse-continue
printf "init_again=%lu\n", $instructions
delete
reverse-continue
printf "begin=%lu\n", $instructions
tbreak ghcb_clear
continue
printf "called=%lu\n", $instructions
finish
printf "returned=%lu\n", $instructions
reverse-step
reverse-finish
printf "call=%lu\n", $instructions
continue
monitor digest
continue
END
says back 'Breakpoint 1, percpu_init' 'Hardware watchpoint 2: CPU_COUNT' 'Old value = 1' \
    'New value = 4' 'The run is over: halted, verdict pass' 'SIGTRAP' '^outcome  halted$' \
    '^verdict  pass$' 'Hardware watchpoint 2: CPU_COUNT' 'Old value = 4' 'New value = 1' \
    '=> .*mov .*CPU_COUNT' 'Breakpoint 1, percpu_init' 'No more reverse-execution history' \
    'Temporary breakpoint 4, ghcb_clear' 'The run is over: halted' 'exited normally'
[ "$(value launch)" = 0 ] && [ "$(value two)" = $(($(value init) + 2)) ] &&
    [ "$(value back)" = "$(value init)" ] && [ "$(value back_rip)" = "$(value rip)" ] &&
    [ "$(value before_end)" = $(($(value end) - 1)) ] &&
    [ "$(value write)" = $(($(value written) - 1)) ] &&
    [ "$(value init_again)" = "$(value init)" ] && [ "$(value begin)" = 0 ] &&
    [ "$(value returned)" -gt "$(value called)" ] && [ "$(value call)" = $(($(value called) - 1)) ]
note $? 'back: places in time'
"$SNPEMU_COMMAND" run svsm-percpu --cpus 4 --trace trace >/dev/null 2>&1
digest=$(sed -n 's/^digest sha256=//p' trace)
[ -n "$digest" ] && [ "$(grep -cx "$digest" out)" = 2 ]
note $? 'back: the state at the end is that of a run without gdb, each time'
[ "$(grep -c 'console: 4 CPUs' run)" -le 1 ] && grep -q '^verdict   pass' run
note $? 'back: the order of exits is shown once'

# ---- registers and memory ----

listen svsm-percpu
debug registers 1 svsm-percpu <<'END'
break percpu_init
continue
info registers rip eflags cs fs_base cr0 cr3 cr4 efer
info registers ghcb_msr sev_status vmpl cpl
p $xmm0
p $st0
p $mxcsr
print/x *(unsigned int *) &CPU_COUNT
set var CPU_COUNT = 7
print/x CPU_COUNT
set $rbx = 0x1234
print/x $rbx
set $xmm1.uint128 = 5
print $xmm1.uint128
stepi
stepi
reverse-stepi
print/x CPU_COUNT
print/x $rbx
python
for line in ("x/2xb 0x10", "set $instructions = 5"):
    try:
        gdb.execute(line)
    except gdb.error as error:
        print(error)
end
monitor help
monitor gpa
monitor gpa 0x10
monitor rmp
monitor rmp gpa 0x8000002940
monitor xp 0x8000002000 16
monitor ghcb
monitor exits 3
monitor percpu
monitor vcpus
monitor time
monitor outcome
monitor console
monitor nothing
monitor gpa nonsense
maintenance packet qSymbol::
maintenance packet Zz,zz
maintenance packet m0,0
maintenance packet vNothing
delete
reverse-continue
print/x $rbx
kill
END
says registers '^rip .*<percpu_init>' '^eflags .*\[.*\]' '^cs  *0x8 ' '^cr0 .*0x80010033' \
    '^efer .*0x1d00' '^ghcb_msr .*0x8000029000' '^sev_status .*0x27' '^vmpl .*0x0' '^cpl .*0x0' \
    'v4_float' '^\$2 = ' '0x1$' '= 0x7$' '= 0x1234$' '= 5$' '= 0x7$' '= 0x1234$' '^monitor rmp ' \
    'gva 0xffff80800000[0-9a-f]* leads to gpa 0x800000' 'gva 0x10 is not mapped' \
    'assigned, validated; VMPL0 rwus' 'assigned, validated; VMPL0 rwus' '^0x0*8000002000:' \
    "GHCB MSR 0x8000029000" "the hypervisor's, shared" 'marked valid' 'page\(s\)' \
    'The last exit was number' 'no per-CPU areas yet' '^\* vCPU 0 .*VMPL0  runnable' \
    'instructions retired' 'The run is not over' 'There is no command nothing' 'nonsense is no number' \
    'received: "OK"' 'received: "E16"' 'received: ""' 'received: ""' \
    'No more reverse-execution history' '= 0x0$'
grep -q 'Cannot access memory at address 0x10' out && grep -q 'Could not write register' out
note $? 'registers: what cannot be done is said'

# ---- several vCPUs, several VMPLs, a firmware ----

listen svsm --cpus 3
debug threads 0 svsm <<'END'
break request_loop
continue
info threads
thread 2
info registers vmpl
bt 2
stepi
info threads
reverse-stepi
reverse-stepi
x/i $pc
delete
continue
info threads
detach
END
says threads 'hit Breakpoint 1, request_loop' 'Thread 1 .*VMPL0, runnable.*request_loop' \
    'Thread 2 .*VMPL0, halted' 'Thread 3 .*VMPL0, halted' '^vmpl  *0x0' 'ap_entry' \
    '^\* 2 .*VMPL1, runnable' '=> .*hlt' 'The run is over: halted' 'detached'
grep -q '^outcome   halted' run
note $? 'threads: after detaching the run has its outcome'

# ---- a handler of a script answers again when the run goes back ----

cat >script.lua <<'END'
local count = 0
return {
  image = "svsm-percpu", cpus = 4,
  on = {
    apic_id_list = function(exit, reply)
      count = count + 1
      reply:honest()
      if count == 2 then reply.rax = 2 end
    end,
  },
  expect = { outcome = "terminated 0xf:0x6" },
}
END
listen script.lua
debug script 0 svsm-percpu <<'END'
break apic_id_list_exit
continue
continue
reverse-continue
continue
delete
continue
reverse-stepi
reverse-continue
continue
continue
END
says script 'Breakpoint 1, apic_id_list_exit' 'Breakpoint 1, apic_id_list_exit' \
    'Breakpoint 1, apic_id_list_exit' 'Breakpoint 1, apic_id_list_exit' \
    'over: terminated 0xf:0x6, verdict contained' 'SIGABRT' 'No more reverse-execution' \
    'over: terminated 0xf:0x6, verdict contained' 'exited normally'

# ---- a watchpoint finds what the host changes, at the read that finds it changed ----

listen "$SNPEMU_SOURCE_DIR/fixtures/weaknesses/list-count-changes.lua" --oracles none
debug host 1 svsm <<'END'
continue
frame 2
watch -location *(unsigned *) va
reverse-continue
printf "change=%lu\n", $instructions
stepi
printf "changed=%lu\n", $instructions
printf "read=%#lx\n", $rax
kill
END
says host 'over: stuck: jump to itself, verdict hang' 'apic_id_list_read' 'Hardware watchpoint 1' \
    'Old value = 4097' 'New value = 4' 'Old value = 4' 'New value = 4097' '^read=0x1001$'
[ "$(value changed)" = $(($(value change) + 1)) ]
note $? 'host: between these two instructions'

# ---- Ctrl-C, and a client that vanishes ----

# Asks for the end of the run, and takes back what it asked for at once.
cat >interrupt.py <<'END'
import socket
import sys

gdb = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
gdb.settimeout(100)


def packet(text):
    return b"$" + text + b"#%02x" % (sum(text) % 256)


def reply():
    data = b""
    while b"#" not in data or len(data) < data.index(b"#") + 3:
        data += gdb.recv(4096)
    return data


gdb.sendall(packet(b"QStartNoAckMode"))
print(reply())
if sys.argv[2] == "interrupt":
    gdb.sendall(packet(b"c") + b"\x03")
    print(reply())
    gdb.sendall(packet(b"D"))
    print(reply())
elif sys.argv[2] == "nonsense":
    gdb.sendall(b"$#$}#00$$$c#00\x00\xff+-" + b"A" * 40000 + packet(b"Z0,") + packet(b"?") +
                b"$" + b"m" * 40000 + b"#00" + packet(b"c")[:2])
    print(reply())
else:
    gdb.sendall(packet(b"c"))
END
cat >spin.lua <<'END'
return { image = "smp", cpus = 2, budget = 3000000000,
         host = { cpuid = { set = { { leaf = 0x4FFFFFFF, eax = 1 } } } } }
END
listen "$SNPEMU_SOURCE_DIR/fixtures/guests/smp-spin-busy.lua"
python3 interrupt.py "$port" interrupt >out 2>err
grep -q 'T02thread' out
note $? 'Ctrl-C stops the run'
wait "$pid"
note $? 'Ctrl-C: after detaching the run ends as expected'

listen svsm-percpu
python3 interrupt.py "$port" vanish >out 2>err
python3 interrupt.py "$port" nonsense >>out 2>err
debug vanished 0 svsm-percpu <<'END'
monitor time
break percpu_init
continue
reverse-stepi
continue
continue
continue
END
says vanished 'instructions retired' 'The run is over: halted' 'exited normally'

ends "$SNPEMU_COMMAND" 'a port that is none' 2 'not \[HOST:\]PORT' run svsm-percpu --gdb=99999
ends "$SNPEMU_COMMAND" 'a host that is none' 2 '--gdb: nowhere.invalid' run svsm-percpu --gdb=nowhere.invalid:1
ends "$SNPEMU_COMMAND" 'with a trace' 2 '--trace does not go with --gdb' run svsm-percpu --gdb --trace x

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
