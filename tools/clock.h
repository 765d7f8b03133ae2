/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long something takes, for whoever waits: no run asks for it.
 */
#ifndef SNPEMU_CLOCK_H
#define SNPEMU_CLOCK_H

#include <time.h>

/* Since some moment, never backwards. */
static inline double clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
