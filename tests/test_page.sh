#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A report in a browser: opened, clicked through, measured. Skipped where there is none, and in all
# builds but one, since they make the same page.
set -u
: "${SNPEMU_SOURCE_DIR:?}"
if [ -n "${SNPEMU_NO_BROWSER:-}" ]; then
    printf 'skipped: %s\n' "$SNPEMU_NO_BROWSER"
    exit 77
fi
. "$SNPEMU_SOURCE_DIR/tests/tally.sh"

# Names that are markup where nobody escapes them: of the image, and of a function in it.
hostile='<img src=x onerror=owned=1>'
objcopy --redefine-sym "vc_vmgexit=</script>$hostile<script>owned=1</script>" \
    "$SNPEMU_IMAGE_DIR/svsm-percpu.elf" "$hostile.elf" || exit 1

"$SNPEMU_COMMAND" report svsm --cpus 400 --oracles cheap --source "$SNPEMU_SOURCE_DIR" \
    -o large.html 2>err || { cat err; exit 1; }
"$SNPEMU_COMMAND" report "$hostile.elf" -o hostile.html 2>err || { cat err; exit 1; }
python3 -B "$SNPEMU_SOURCE_DIR/tests/page_check.py" large.html hostile.html
