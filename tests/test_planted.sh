#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The shorter part of tools/planted: mistakes that the fuzzer finds soon, and a look at their twins. All
# of it is tools/nightly's. Under the sanitizers four, one of each kind.
set -u

: "${SNPEMU_COMMAND:?}" "${SNPEMU_SOURCE_DIR:?}" "${SNPEMU_IMAGE_DIR:?}"
export SNPEMU_COMMAND SNPEMU_IMAGES=$SNPEMU_IMAGE_DIR

few=(mark-ignored bsp-unchecked entry-read-back panic-loops)
more=(size-overflow pages-overflow sign-extended fetched-twice count-raced stale-list wrong-free
    carry-ignored retries-for-ever waits-for-ever)

if [ -n "${SNPEMU_SANITIZED:-}" ]; then
    exec "$SNPEMU_SOURCE_DIR/tools/planted" --limit 4000 --twin-runs 100 "${few[@]}"
fi
exec "$SNPEMU_SOURCE_DIR/tools/planted" --twin-runs 500 "${few[@]}" "${more[@]}"
