/* SPDX-License-Identifier: MIT */
/*
 * Spin locks. A CPU that takes a lock twice (an exception handler that allocates) is deadlocked:
 * the published code then spins for ever; here it is a panic, which says so.
 */
#ifndef SVSM_LOCK_H
#define SVSM_LOCK_H

#include "cpu.h"
#include "percpu.h"
#include "svsm.h"

struct lock {
    u32 holder; /* the CPU's index + 1, 0 when free */
};

INLINE u32 lock_holder_self(void)
{
    /* Until other CPUs are started nothing depends on where GS points. */
    return cpu_mode == 0 ? 1 : percpu_read_u32(PERCPU_CPU_ID) + 1;
}

INLINE void lock_take(struct lock *lock)
{
    u32 self = lock_holder_self();

    for (;;) {
        u32 holder = 0;

        if (__atomic_compare_exchange_n(&lock->holder, &holder, self, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return;
        }
        if (holder == self) {
            panic("deadlock: an allocator lock is taken while it is held");
        }
        cpu_pause();
    }
}

INLINE void lock_release(struct lock *lock)
{
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELEASE);
}

#endif
