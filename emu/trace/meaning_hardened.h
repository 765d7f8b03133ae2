/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Terminations of our own image svsm-hardened: the end of the table in meaning.h.
 */
#ifndef SNPEMU_TRACE_MEANING_HARDENED_H
#define SNPEMU_TRACE_MEANING_HARDENED_H

#include "trace/meaning.h"

/* In order of code. NULL after the last. */
const struct termination *termination_hardened_at(size_t index);

#endif
