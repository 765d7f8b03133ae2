/* SPDX-License-Identifier: MIT */
/* Runs an image against a hypervisor that is a function of this program: is a list of APIC IDs that
 * grows while the guest reads it survived? Exit status: 0 yes, 1 no, 2 it did not run. */
#include <inttypes.h>
#include <snpemu.h>
#include <stdio.h>
#include <string.h>

static void answer(void *context, const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    uint64_t *exits = context;

    (*exits)++;
    if (strcmp(exit->name, "apic_id_list") == 0 && exit->lent_count > 0) {
        snpemu_reply_honest(reply);
        snpemu_reply_watch(reply, &(struct snpemu_watch){
                                      .gpa = exit->lent[0].gpa, /* the count */
                                      .size = 4,
                                      .nth = 4, /* it is checked before that */
                                      .value = 4096,
                                      .sticky = true,
                                  });
    }
}

int main(int argc, char **argv)
{
    char error[SNPEMU_TEXT_MAX];
    struct snpemu_result result;
    struct snpemu *snpemu;
    uint64_t exits = 0;

    if (snpemu_open(&snpemu, argc > 1 ? argv[1] : IMAGE_DIR "/svsm-percpu.elf", error) != 0) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    snpemu_on_exit(snpemu, answer, &exits);
    if (snpemu_set_cpus(snpemu, 4, error) != 0 || snpemu_run(snpemu, &result, error) != 0) {
        fprintf(stderr, "%s\n", error);
        snpemu_close(snpemu);
        return 2;
    }
    printf("%s after %" PRIu64 " exits: %s\n%s\n", result.phrase, exits,
           snpemu_verdict_name(result.verdict), result.panic);
    snpemu_close(snpemu);
    return result.verdict == SNPEMU_PASS || result.verdict == SNPEMU_CONTAINED ? 0 : 1;
}
