/* SPDX-License-Identifier: MIT */
/*
 * The published allocator's spin locks, as seen by a guest with one CPU at work: taking one twice
 * (an exception handler that allocates) is a deadlock. The published code then spins for ever;
 * here it is a panic, which says so.
 */
#ifndef SVSM_LOCK_H
#define SVSM_LOCK_H

#include "svsm.h"

struct lock {
    bool held;
};

INLINE void lock_take(struct lock *lock)
{
    if (lock->held) {
        panic("deadlock: an allocator lock is taken while it is held");
    }
    lock->held = true;
}

INLINE void lock_release(struct lock *lock)
{
    lock->held = false;
}

#endif
