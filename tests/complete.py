#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""complete.py bash|zsh|fish COMPLETIONS PROGRAM LINE...: what the shell offers at the end of LINE.

A real shell at a terminal of its own is asked to insert all that it offers and to run the line.
PROGRAM is run then, and must write its arguments to the file that $WORDS names. For each line they
are printed sorted, one a line, with an empty line behind. fish is asked for its list instead.
"""
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time

READY = "ready-for-it"
SECONDS_MAX = 60

# What the shell reads first. The prompt says that it is ready, parted so that an echo does not.
BASH = """
PS1='ready-"for-it$ '; PS1=${{PS1/\\"/}}
source '{completions}'
bind '"\\C-xa": insert-completions'
"""
ZSH = """
PS1='%{{%}}ready-''for-it%# '
setopt no_beep
fpath=('{directory}' $fpath)
autoload -Uz compinit && compinit -u -D
zle -C all-matches complete-word _generic
bindkey '^Xa' all-matches
zstyle ':completion:all-matches:*' insert yes
zstyle ':completion:all-matches::::' completer _all_matches _complete
"""


def talk(arguments, environment, lines, done):
    """Type each line and the key that inserts what is offered; tell of it, and end the shell."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(arguments[0], arguments, environment)
    seen, typed, end = b"", 0, time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            break  # the shell has ended
        if READY.encode() not in seen:
            continue
        if typed:
            done(lines[typed - 1])
        os.write(terminal, lines[typed].encode() + b"\x18a\r" if typed < len(lines) else b"exit\r")
        seen, typed = b"", typed + 1
        if typed > len(lines) + 1:
            break
    os.kill(child, 9)
    os.close(terminal)
    os.waitpid(child, 0)


def ask_fish(completions, environment, line):
    """fish lists by itself what it would offer."""
    script = f"source '{completions}'; complete -C '{line}'"
    output = subprocess.run(["fish", "--no-config", "-c", script], env=environment, check=False,
                            stdout=subprocess.PIPE, encoding="utf-8").stdout
    return [row.split("\t")[0] for row in output.splitlines()]


def main():
    shell, completions, program, *lines = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        words = os.path.join(directory, "words")
        environment = {
            "PATH": os.path.dirname(program) + ":/usr/bin:/bin", "WORDS": words, "TERM": "dumb",
            "HOME": directory, "ZDOTDIR": directory, "LC_ALL": "C.UTF-8",
            "COLUMNS": "10000", "LINES": "50",
        }

        def show(offered):
            print("\n".join(sorted(offered) + [""]))

        def done(_line):
            offered = []
            if os.path.exists(words):
                with open(words, encoding="utf-8") as file:
                    offered = file.read().splitlines()
                os.remove(words)
            show(offered)

        if shell == "fish":
            for line in lines:
                show(ask_fish(completions, environment, line))
            return
        setup = os.path.join(directory, ".zshrc" if shell == "zsh" else "rc")
        with open(setup, "w", encoding="utf-8") as file:
            file.write((ZSH if shell == "zsh" else BASH).format(
                completions=completions, directory=directory))
        if shell == "zsh":
            shutil.copy(completions, os.path.join(directory, "_snpemu"))
            talk(["zsh", "-i"], environment, lines, done)
        else:
            talk(["bash", "--noprofile", "--rcfile", setup, "-i"], environment, lines, done)


main()
