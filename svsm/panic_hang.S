/* SPDX-License-Identifier: MIT */
/* Where the published code ends up after a panic: an endless loop, with no exit. */
#include "asm.h"

    .text

/* noreturn void svsm_panic(void) */
FUNCTION(svsm_panic)
1:  jmp 1b
END_FUNCTION(svsm_panic)

    .section .note.GNU-stack, "", @progbits
