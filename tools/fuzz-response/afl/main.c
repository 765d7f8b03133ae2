/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target for AFL++, linked with its afl-compiler-rt.o and compiled by any compiler: a
 * persistent loop that is entered when the machine stands at its snapshot, with inputs in shared
 * memory. The guest's coverage is what AFL++ sees; the emulator's own is not counted.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../target.h"

#define RUNS_A_PROCESS 1000000

/* Of afl-compiler-rt.o. */
extern uint8_t *__afl_area_ptr;
extern uint32_t __afl_map_size;
extern uint8_t *__afl_fuzz_ptr; /* NULL when afl-fuzz does not share inputs */
extern uint32_t *__afl_fuzz_len;
void __afl_manual_init(void);
int __afl_persistent_loop(unsigned int count);

/* It looks here whether inputs may be shared. */
extern int __afl_sharedmem_fuzzing;
int __afl_sharedmem_fuzzing = 1;

/* afl-fuzz looks for these in the file, for the persistent loop and for the late start. */
static const char *volatile const marks[] = {"##SIG_AFL_PERSISTENT##", "##SIG_AFL_DEFER_FORKSRV##"};

int main(void)
{
    uint8_t input[BYTES_INPUT_MAX];

    (void)marks[0];
    if (__afl_map_size < STAGE_MAP_SIZE) {
        fprintf(stderr, TARGET_NAME ": AFL_MAP_SIZE is %u; it must be %u at least\n",
                __afl_map_size, STAGE_MAP_SIZE);
        return 2;
    }
    target_open();
    __afl_manual_init();
    stage_set_map(target_stage(), __afl_area_ptr);
    while (__afl_persistent_loop(RUNS_A_PROCESS)) {
        if (__afl_fuzz_ptr) {
            target_play(__afl_fuzz_ptr, *__afl_fuzz_len);
        } else {
            ssize_t size = read(STDIN_FILENO, input, sizeof(input));

            target_play(input, size > 0 ? (size_t)size : 0);
        }
    }
    return 0;
}
