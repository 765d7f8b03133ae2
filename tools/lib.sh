# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Shared by the scripts beside it: what is printed, what the host lacks, how a preset is built.
# The caller has set -u and changed into the source tree.

LOG_DIR=build/log

# Colour only for a person at a terminal who did not decline it.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    BOLD=$'\033[1m' RED=$'\033[31m' GREEN=$'\033[32m' PLAIN=$'\033[0m'
else
    BOLD='' RED='' GREEN='' PLAIN=''
fi

say() {
    printf '%s\n' "$*"
}

heading() {
    printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# step NAME WHAT COMMAND...: one line on the screen, the output in build/log/NAME.log, and the end
# of that log when it fails. Returns the command's status.
step() {
    local name=$1 what=$2 log status started
    shift 2
    mkdir -p "$LOG_DIR"
    log=$LOG_DIR/$name.log
    started=$SECONDS
    printf '%-56s ' "$what"
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    if [ "$status" -eq 0 ]; then
        printf '%sok%s, %d s\n' "$GREEN" "$PLAIN" $((SECONDS - started))
    else
        printf '%sFAILED%s, %d s\n' "$RED" "$PLAIN" $((SECONDS - started))
        tail -n "${STEP_TAIL_LINES:-30}" "$log" | sed 's/^/    /'
        say "    (all of it: $log)"
    fi
    return "$status"
}

require_host() {
    local system machine
    system=$(uname -s)
    machine=$(uname -m)
    if [ "$system" != Linux ] || [ "$machine" != x86_64 ]; then
        die "snpemu builds and runs on x86-64 Linux only; this is $system on $machine"
    fi
}

host_name() {
    local PRETTY_NAME='Linux'
    # shellcheck disable=SC1091
    [ -r /etc/os-release ] && . /etc/os-release
    printf '%s' "$PRETTY_NAME"
}

has_command() {
    command -v "$1" >/dev/null 2>&1
}

# Does pkg-config know the library, or dpkg the package?
has_library() {
    has_package "$2" || { has_command pkg-config && pkg-config --exists "$1"; }
}

has_package() {
    has_command dpkg-query &&
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_cmake() {
    local version
    has_command cmake || return 1
    version=$(cmake --version | sed -n '1s/.* \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p')
    [ "${version%%.*}" -gt 3 ] || { [ "${version%%.*}" -eq 3 ] && [ "${version#*.}" -ge 25 ]; }
}

# A Unicorn that the build takes without asking pip for it (the order is cmake/Unicorn.cmake's).
has_unicorn() {
    [ -e build/unicorn-2.1.4/SOURCE ] ||
        { has_command pkg-config && pkg-config --exists 'unicorn >= 2.1.3'; }
}

has_pip() {
    has_command python3 && { python3 -m pip --version || /usr/bin/python3 -m pip --version ||
        pip3 --version; } >/dev/null 2>&1
}

# missing_packages build|check: the Debian packages that are needed and not there, one a line.
missing_packages() {
    has_command gcc || say gcc
    has_package libc6-dev || [ -e /usr/include/stdio.h ] || say libc6-dev
    has_cmake || say cmake
    has_command ninja || has_command make || say ninja-build
    has_command pkg-config || say pkg-config
    has_library libelf libelf-dev || say libelf-dev
    has_library libdw libdw-dev || say libdw-dev
    has_package libiberty-dev || [ -e /usr/include/libiberty/demangle.h ] || say libiberty-dev
    has_library lua5.4 liblua5.4-dev || say liblua5.4-dev
    has_library zydis libzydis-dev || say libzydis-dev
    has_library libgcrypt libgcrypt20-dev || say libgcrypt20-dev
    has_library jansson libjansson-dev || say libjansson-dev
    has_library check check || say check
    has_unicorn || has_pip || say python3-pip
    [ "$1" = check ] || return 0
    has_command clang-14 || say clang-14
    # The sanitizers of clang are a package of their own.
    has_package libclang-rt-14-dev || { has_command clang-14 &&
        [ -e "$(clang-14 -print-file-name=libclang_rt.asan-x86_64.a)" ]; } ||
        say libclang-rt-14-dev
    has_command clang-format-14 || say clang-format-14
    has_command python3 || say python3
    has_command chromium || has_command google-chrome || say chromium
    has_command chromedriver || say chromium-driver
    has_command dpkg-shlibdeps || say dpkg-dev
    has_command gdb || say gdb
    has_command genhtml || say lcov
}

# Without lists (a fresh container) or with old ones, apt-get finds nothing until it has updated.
apt_install() {
    local sudo=''
    [ "$(id -u)" -eq 0 ] || sudo='sudo -n'
    set -- $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    if ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && "$@"; then
        return 0
    fi
    $sudo apt-get update && "$@"
}

# ensure_packages build|check install|report: install what is missing, or say what it is and end.
ensure_packages() {
    local missing command
    missing=$(missing_packages "$1" | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    command="apt-get install --no-install-recommends $missing"
    if [ "$2" = report ]; then
        say "missing: $missing"
        say "install with: $command"
        exit 1
    fi
    has_command apt-get || die "missing (by their Debian names): $missing; this system has no apt-get"
    if [ "$(id -u)" -ne 0 ]; then
        has_command sudo || die "missing: $missing; as root: $command"
        # Ask for the password here, not inside the log.
        sudo -v || die "missing: $missing; as root: $command"
    fi
    # shellcheck disable=SC2086
    step packages "installing $missing" apt_install $missing || exit 1
}

# The generator for a build directory: the one that made it, else Ninja, else make.
generator_of() {
    local made_by
    made_by=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$1/CMakeCache.txt" 2>/dev/null)
    if [ -n "$made_by" ]; then
        say "$made_by"
    elif has_command ninja; then
        say Ninja
    else
        say 'Unix Makefiles'
    fi
}

configure_preset() {
    step "$1-configure" "configure $1" \
        cmake --preset "$1" -G "$(generator_of "build/$1")"
}

# build_preset PRESET [OPTION...]: the options go to cmake --build.
build_preset() {
    local preset=$1
    shift
    step "$preset-build" "build $preset" \
        cmake --build "build/$preset" --parallel "$(nproc)" "$@"
}

# The files that git tracks, or would if they were added; all but build directories in a tree
# without git. NUL-terminated.
list_files() {
    if has_command git && git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
        git -c safe.directory='*' ls-files -z --cached --others --exclude-standard -- "$@"
    else
        find . \( -name .git -o -path './build' -o -path './build-*' \) -prune -o \
            -type f -print0 | sed -z 's|^\./||'
    fi
}
