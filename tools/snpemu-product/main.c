/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-product: a product of hostile answers to the APIC ID list event, and honest random lists.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "fuzz/stage.h"
#include "options.h"
#include "product.h"

#define CPUS_DEFAULT 4
#define MARGIN_DEFAULT 10000000
#define MARGIN_HONEST 100000000 /* a list of 1024 may be compared with itself */
#define MOST_DEFAULT 100

enum {
    KEY_CPUS = 0x100,
    KEY_UNTIL,
    KEY_FIRMWARE,
    KEY_FROM,
    KEY_TO,
    KEY_EVERY,
    KEY_MARGIN,
    KEY_LIST,
    KEY_MOST,
    KEY_SCENARIO,
    KEY_HONEST,
    KEY_SEED,
    KEY_ORACLES,
};

enum status { STATUS_FINE, STATUS_ALARM, STATUS_INPUT, STATUS_INTERNAL };

struct command {
    struct options options; /* first: see options.h */
    struct overrides overrides;
    struct honest honest; /* its `product` is that of both modes */
    const char *path;
    bool list;
    uint64_t most;
    uint64_t scenario; /* combination or list to print; 0: none */
};

static const struct argp_option option_rows[] = {
    OPTION_HELP,
    {"cpus", KEY_CPUS, "N", 0, "Number of CPUs that the hypervisor has, 1 to 1023 (4)", 0},
    {"until", KEY_UNTIL, "SYMBOL", 0,
     "The function that ends a run: the first after percpu_init (tss_init or serial_init)", 0},
    {"firmware", KEY_FIRMWARE, "FILE", 0, "The firmware, as of snpemu run", 0},
    {"from", KEY_FROM, "N", 0, "The first combination (1)", 0},
    {"to", KEY_TO, "N", 0, "The last one (all)", 0},
    {"every", KEY_EVERY, "N", 0, "From the first on only every Nth (1)", 0},
    {"margin", KEY_MARGIN, "N", 0,
     "Instructions that a run may take beyond the honest one (10000000; 100000000 with --honest)",
     0},
    {"oracles", KEY_ORACLES, "NAME,...", 0,
     "The oracles that watch: 'cheap' (all but trusted-unchecked, the default), 'all', 'none', or "
     "names",
     0},
    {"list", KEY_LIST, NULL, 0, "A line for each run that is neither pass nor contained", 0},
    {"most", KEY_MOST, "N", 0, "At most so many of these lines (100)", 0},
    {"scenario", KEY_SCENARIO, "N", 0,
     "Only print combination N (with --honest: list N) as a scenario, which snpemu run plays", 0},
    {"honest", KEY_HONEST, "N", 0, "N honest random lists of 1 to 1024 CPUs instead", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of these lists (1)", 0},
    {0},
};

static const char option_doc[] =
    "Answer \"which APIC IDs are there?\" in every hostile way, and say how the image ends.\v"
    "Each combination of a row of the first answer, of the second, of the list and of a change is "
    "a run, from a snapshot before the first answer to the end of the per-CPU bring-up. The "
    "tables say how many runs had which outcome and verdict, for each row of each axis. `seen` is "
    "the number of runs in which the guest came to see what the row is about: it asked for the "
    "list, it read what changes (at that read), it lost the page.\n"
    "With --honest each list is one that a real host may give: all runs must pass, and the guest's "
    "per-CPU table must have these APIC IDs, the boot CPU's (BSP's) first.\n"
    "\n"
    "Exit status: 0 each run passed or was contained (with --honest: passed), 1 one did not, 2 bad "
    "input or usage, 3 the emulator failed.\n";

/* The rows of the axes behind the documentation: they are the tool's own tables. */
static char *add_rows(int key, const char *text, void *input)
{
    struct product_axes *axes;
    char *whole = NULL;
    size_t size = 0;
    FILE *file;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC || !(axes = malloc(sizeof(*axes)))) {
        return (char *)text; /* argp's own signature: it is not written to */
    }
    file = open_memstream(&whole, &size);
    if (file) {
        product_axes_make(axes, CPUS_DEFAULT);
        fprintf(file, "%s", text);
        for (size_t axis = 0; axis < AXIS_COUNT; axis++) {
            fprintf(file, "\n%s: %s\n", product_axis_names[axis], product_axis_words[axis]);
            for (size_t i = 0; i < axes->rows[axis]; i++) {
                fprintf(file, "  %-16s %s\n", axes->row[axis][i].name, axes->row[axis][i].words);
            }
        }
        fclose(file);
    }
    free(axes);
    return whole ? whole : (char *)text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct command *command = state->input;
    struct overrides *overrides = &command->overrides;
    struct product *product = &command->honest.product;

    switch (key) {
    case KEY_CPUS:
        overrides->cpus_given = true;
        return option_number(state, "--cpus", arg, 1, PRODUCT_CPUS_MAX, &overrides->cpus);
    case KEY_UNTIL:
        product->until = arg;
        return *arg ? 0 : option_fail(state, "--until: the symbol is empty");
    case KEY_FIRMWARE:
        overrides->firmware = arg;
        return *arg ? 0 : option_fail(state, "--firmware: the path is empty");
    case KEY_FROM:
        return option_number(state, "--from", arg, 1, INT64_MAX, &product->from);
    case KEY_TO:
        return option_number(state, "--to", arg, 1, INT64_MAX, &product->to);
    case KEY_EVERY:
        return option_number(state, "--every", arg, 1, INT64_MAX, &product->every);
    case KEY_MARGIN:
        return option_number(state, "--margin", arg, 1, INT64_MAX, &product->margin_instructions);
    case KEY_ORACLES:
        return option_oracles(state, arg, &overrides->oracles);
    case KEY_LIST:
        command->list = true;
        return 0;
    case KEY_MOST:
        return option_number(state, "--most", arg, 0, INT64_MAX, &command->most);
    case KEY_SCENARIO:
        return option_number(state, "--scenario", arg, 1, INT64_MAX, &command->scenario);
    case KEY_HONEST:
        return option_number(state, "--honest", arg, 1, INT64_MAX, &command->honest.lists);
    case KEY_SEED:
        return option_number(state, "--seed", arg, 0, INT64_MAX, &command->honest.seed);
    case ARGP_KEY_ARG:
        if (command->path) {
            return option_fail(state, "'%.100s' is one too many; give one image", arg);
        }
        command->path = arg;
        return 0;
    case ARGP_KEY_END:
        return command->path ? 0 : option_fail(state, "no image; see --help");
    default:
        return option_other(key, state);
    }
}

static enum status say_error(int status, const struct error *error)
{
    fprintf(stderr, "snpemu-product: %s\n", error->text);
    return status == SNPEMU_ERR_INPUT || status == SNPEMU_ERR_IO ? STATUS_INPUT : STATUS_INTERNAL;
}

/* What a scenario has to say besides what the host does. */
static struct product_script script_of(const struct command *command, const struct outcome *outcome)
{
    const struct product *product = &command->honest.product;
    const char *firmware = command->overrides.firmware;

    return (struct product_script){
        .subject = &product->subject,
        .image = command->path,
        .firmware = !product->subject.firmware ? NULL
                    : firmware                 ? firmware
                                               : SCENARIO_FIRMWARE_BUILT,
        .until = product->until,
        .outcome = outcome,
    };
}

static int open_subject(struct command *command, struct error *error)
{
    struct product *product = &command->honest.product;
    int status = subject_open(&product->subject, command->path, &command->overrides, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    if (product->subject.scenario->path) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%.200s: is a scenario; this brings a host of its own, give an image",
                         command->path);
    }
    if (!product->until) {
        product->until = stage_until_default(product->subject.image);
    }
    if (!product->until) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%.200s: has no function that is known to follow percpu_init; say --until",
                         command->path);
    }
    return SNPEMU_OK;
}

static void say_speed(uint64_t runs, uint64_t again, double seconds)
{
    fflush(stdout);
    fprintf(stderr, "%.1f s, %.0f runs/s; %" PRIu64 " were suspected and played again, exactly\n",
            seconds, seconds > 0 ? (double)runs / seconds : 0, again);
}

static enum status product_and_say(struct command *command)
{
    struct product *product = &command->honest.product;
    uint64_t others, size;
    struct error error;
    int status;

    product_axes_make(&product->axes, product->subject.scenario->cpus);
    size = product_axes_size(&product->axes);
    if (product->from > size || command->scenario > size) {
        status = error_set(&error, SNPEMU_ERR_INPUT, "there are %" PRIu64 " combinations", size);
        return say_error(status, &error);
    }
    if (command->scenario) {
        product->from = command->scenario;
        product->to = command->scenario;
    }
    status = product_run(product, &error);
    if (status != SNPEMU_OK) {
        return say_error(status, &error);
    }
    if (command->scenario) {
        struct product_script script = script_of(command, &product->last);
        struct combination combination;

        product_axes_pick(&product->axes, command->scenario, &combination);
        product_print_scenario(stdout, &script, &combination);
        return STATUS_FINE;
    }
    product_print(stdout, product);
    if (command->list) {
        product_print_rest(stdout, product, command->most);
    }
    others = product_count(product, VERDICT_COUNT);
    printf("\n%" PRIu64 " runs, %" PRIu64 " neither pass nor contained\n", product->runs, others);
    say_speed(product->runs, product->again, product->seconds);
    return others ? STATUS_ALARM : STATUS_FINE;
}

static enum status honest_and_say(struct command *command)
{
    struct honest *honest = &command->honest;
    uint64_t lists = honest->lists;
    struct error error;
    int status;

    honest->lists = command->scenario ? 0 : lists;
    status = honest_run(honest, stdout, command->most, &error);
    if (status != SNPEMU_OK) {
        return say_error(status, &error);
    }
    if (command->scenario) {
        struct product_script script = script_of(command, &honest->product.honest);
        struct honest_list list;

        honest_list_make(&list, honest->seed, command->scenario);
        honest_print_scenario(stdout, &script, &list);
        return STATUS_FINE;
    }
    printf("%" PRIu64 " honest lists of seed %" PRIu64 ", %" PRIu64 " CPUs on average: %" PRIu64
           " passed, %" PRIu64 " alarms\n",
           lists, honest->seed, honest->cpus / lists, honest->passed, lists - honest->passed);
    say_speed(lists, honest->product.again, honest->seconds);
    return honest->passed == lists ? STATUS_FINE : STATUS_ALARM;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        option_rows, parse, "IMAGE", option_doc, NULL, add_rows, NULL,
    };
    struct command *command = calloc(1, sizeof(*command));
    enum status result;
    int status;

    if (!command) {
        return say_error(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    command->honest.product.from = 1;
    command->honest.product.to = INT64_MAX;
    command->honest.product.every = 1;
    command->honest.seed = 1;
    command->most = MOST_DEFAULT;
    command->overrides.oracles = ORACLES_CHEAP;
    command->overrides.oracles_given = true;
    command->overrides.cpus = CPUS_DEFAULT;
    command->overrides.cpus_given = true;
    status = options_parse(&argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        struct product *product = &command->honest.product;

        if (product->margin_instructions == 0) {
            product->margin_instructions = command->honest.lists ? MARGIN_HONEST : MARGIN_DEFAULT;
        }
        status = open_subject(command, &command->options.error);
    }
    if (status != SNPEMU_OK) {
        result = say_error(status, &command->options.error);
    } else {
        result = command->honest.lists ? honest_and_say(command) : product_and_say(command);
    }
    product_release(&command->honest.product);
    free(command);
    return (int)result;
}
