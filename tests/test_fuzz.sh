#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# snpemu fuzz: the same seed does the same; a session goes on where the last one ended, whatever ended
# it; a worker that dies loses nothing that was kept; what the emulator did wrong is kept apart.
set -u

: "${SNPEMU_SOURCE_DIR:?}"
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"

fuzz() { # NAME STATUS PATTERN ARGUMENT...
    local name=$1 status=$2 pattern=$3
    shift 3
    ends "$SNPEMU_COMMAND" "$name" "$status" "$pattern" fuzz "$@"
}

without_times() {
    grep -vE '^(seconds|runs/s) ' "$1"
}

# Each file's name is the start of the SHA-256 of what it holds: none is half there.
corpus_is_whole() { # DIR
    local file
    for file in "$1"/corpus/*; do
        case $file in
        *.tmp.*) continue ;; # of a worker that was killed while it wrote: nobody reads it
        esac
        case $(sha256sum <"$file") in
        "${file##*/}"*) ;;
        *) return 1 ;;
        esac
    done
}

# ---- the same seed ----

for place in one two; do
    mkdir "$place"
    (cd "$place" && "$SNPEMU_COMMAND" fuzz svsm-percpu --cpus 2 --runs 200 --seed 7 --margin 300000 \
        >out 2>err)
    [ $? -eq 1 ]
    note $? "a session in $place finds something"
done
diff <(without_times one/out) <(without_times two/out) >out 2>err
note $? 'two sessions give the same report'
for part in corpus findings; do
    diff -r "one/svsm-percpu.fuzz/$part" "two/svsm-percpu.fuzz/$part" >out 2>err
    note $? "two sessions give the same $part"
done
diff <(grep -v '^seconds' one/svsm-percpu.fuzz/state) <(grep -v '^seconds' two/svsm-percpu.fuzz/state) \
    >out 2>err
note $? 'two sessions leave the same state'
cp one/out out
grep -qE '^corpus +[1-9][0-9]* inputs' out && grep -qE '^edges +[1-9]' out && corpus_is_whole one/svsm-percpu.fuzz
note $? 'something was kept, and all of it'

fuzz 'another seed' 1 '^runs +100, 100 of' svsm-percpu --cpus 2 --runs 100 --seed 8 --margin 300000 \
    --corpus other
! diff -rq other/corpus one/svsm-percpu.fuzz/corpus >/dev/null
note $? 'another seed does something else'

# ---- going on ----

ls one/svsm-percpu.fuzz/findings >before
cd one || exit 1
fuzz 'going on' 1 '^runs +250, 50 of this session' svsm-percpu --cpus 2 --runs 50 --margin 300000
cd ..
cp one/out out
while read -r file; do
    [ -e "one/svsm-percpu.fuzz/findings/$file" ] || echo "$file"
done <before >gone
[ -s before ] && [ ! -s gone ]
note $? 'the findings of the first session are there'
fuzz 'other CPUs' 2 'state: is of svsm-percpu.* with 2 CPUs, not of .* with 3; give another --corpus' \
    svsm-percpu --cpus 3 --runs 1 --corpus other
cp -r other spoilt
echo nonsense >spoilt/state
fuzz 'a state that is none' 2 'spoilt/state: not the state of a campaign' \
    svsm-percpu --cpus 2 --runs 1 --corpus spoilt
printf 'snpemu-fuzz 1\nclass\t1\t1\n' >spoilt/state
fuzz 'a broken line' 2 'spoilt/state: line 2: not understood' \
    svsm-percpu --cpus 2 --runs 1 --corpus spoilt

# ---- workers that die ----

children() {
    cat "/proc/$1/task/$1/children"
}

wait_for() { # PATTERN
    local i
    for i in $(seq 300); do
        grep -qE -- "$1" err && return
        sleep 0.1
    done
    return 1
}

some_files() { # DIR MORE_THAN
    local i
    for i in $(seq 300); do
        [ "$(find "$1/corpus" -type f 2>/dev/null | wc -l)" -gt "$2" ] && return
        sleep 0.1
    done
    return 1
}

# SIGNAL STATUS NAME DIR ARGUMENT...: a session whose first worker is sent a signal once something is
# kept, and that is stopped when it has kept more.
disturbed() {
    local signal=$1 status=$2 name=$3 dir=$4 session
    shift 4
    "$SNPEMU_COMMAND" fuzz svsm-percpu --cpus 2 --margin 300000 --corpus "$dir" "$@" >out 2>err &
    session=$!
    some_files "$dir" 3
    kill "-$signal" "$(children "$session" | cut -d' ' -f1)"
    wait_for 'killed|the emulator failed'
    note $? "$name: it is said"
    some_files "$dir" 8
    note $? "$name: it goes on"
    kill -TERM "$session"
    wait "$session"
    [ $? -eq "$status" ] && grep -qE '^runs +[1-9]' out
    note $? "$name: status $status, and a report"
}

disturbed KILL 1 'a worker is killed' killed -j 2
corpus_is_whole killed && grep -q '^snpemu: a worker was killed: signal 9' err
note $? 'a worker is killed: the corpus is whole'
[ ! -e killed/emulator ]
note $? 'a worker is killed: not the emulator'\''s fault'
disturbed SEGV 3 'the emulator crashes' crashed
input=$(sed -n 's/^snpemu: the emulator failed: .* is in //p' err)
[ -f "$input" ] && grep -q '^svsm-percpu.*, 2 CPUs, at exit [0-9]*: ' "${input%.input}.txt" &&
    grep -qE '^emulator +1 input' out
note $? 'the emulator crashes: the input is set apart'

# ---- ends ----

# What runs in the background of a script ignores SIGINT, unless it is told otherwise.
env --default-signal=INT "$SNPEMU_COMMAND" fuzz svsm-percpu --cpus 2 --corpus stopped >out 2>err &
session=$!
some_files stopped 3
kill -INT "$session"
wait "$session"
[ $? -eq 1 ] && grep -qE '^runs +[1-9]' out && [ -s stopped/state ]
note $? 'Ctrl-C: a report, and a state to go on from'
fuzz 'time' 1 '^seconds +[1-9]' svsm-percpu --cpus 2 --time 1s --margin 300000 --corpus timed
fuzz 'nothing is found' 0 '^findings +0,' svsm-hardened --cpus 2 --runs 20 --corpus sound

# ---- what cannot be done ----

fuzz 'no such image' 2 "no image 'svsm-no" svsm-none --runs 1
fuzz 'no image' 2 'fuzz: no scenario or image' --runs 1
fuzz 'a time without a unit' 2 "'10' is no time; write it as" svsm-percpu --time 10
fuzz 'no such symbol' 2 'no symbol named "nowhere"' svsm-percpu --until nowhere --runs 1
fuzz 'no such oracle' 2 'leek' svsm-percpu --oracles leek --runs 1
echo 'return { image = "svsm-percpu", on = { cpuid = { rax = 1 } } }' >handlers.lua
fuzz 'handlers' 2 "handlers.lua: has handlers" handlers.lua --runs 1
touch file
fuzz 'no directory' 2 'file' svsm-percpu --corpus file --runs 1
fuzz 'below a file' 2 'file/below: cannot be made' svsm-percpu --corpus file/below --runs 1
mkdir busy
(
    flock 9
    "$SNPEMU_COMMAND" fuzz svsm-percpu --corpus busy --runs 1 >out 2>err 9<&-
    [ $? -eq 2 ] && grep -q 'busy: another session is at work there' err
) 9<busy
note $? 'two sessions in one directory'

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
