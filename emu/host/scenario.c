/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/scenario.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/oracle.h"
#include "host/internal.h"
#include "host/sandbox.h"
#include "host/value.h"

#define SOURCE_MAX_BYTES (1u << 20)
#define PATH_MAX_BYTES 4095
#define MEMORY_MIB_MIN 4
#define MEMORY_MIB_MAX 4096
#define GUEST_MEMORY_MIB_MIN 2
#define GUEST_MEMORY_MIB_MAX 3072

static void read_image(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;
    const char *image = value_text(L, -1, path, PATH_MAX_BYTES);

    (void)row;
    free(scenario->image);
    scenario->image = strdup(image);
    if (!scenario->image) {
        value_error(L, path, "out of memory");
    }
}

static void read_firmware(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;
    const char *firmware = NULL;

    (void)row;
    if (!lua_isboolean(L, -1)) {
        firmware = value_text(L, -1, path, PATH_MAX_BYTES);
    } else if (lua_toboolean(L, -1)) {
        firmware = SCENARIO_FIRMWARE_BUILT;
    }
    free(scenario->firmware);
    scenario->firmware = firmware ? strdup(firmware) : NULL;
    if (firmware && !scenario->firmware) {
        value_error(L, path, "out of memory");
    }
}

static void read_cpus(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;

    value_read_u32(L, path, row, target);
    hypervisor_config_init(&scenario->host, scenario->cpus);
}

static void read_memory(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;

    value_read_u32(L, path, row, target);
    if (scenario->memory_mib && scenario->memory_mib < MEMORY_MIB_MIN) {
        value_error(L, path, "must be 0 (what the image asks for) or at least %d", MEMORY_MIB_MIN);
    }
}

/* Memory comes in whole 2 MiB. */
static void read_guest_memory(lua_State *L, const char *path, const struct value_row *row,
                              void *target)
{
    struct scenario *scenario = target;

    value_read_u32(L, path, row, target);
    if (scenario->guest_memory_mib % 2) {
        value_error(L, path, "must be even");
    }
}

static void read_unknown_msr(lua_State *L, const char *path, const struct value_row *row,
                             void *target)
{
    struct scenario *scenario = target;
    const char *text = value_text(L, -1, path, sizeof("unmodelled"));

    (void)row;
    scenario->unknown_msr_gp = strcmp(text, "gp") == 0;
    if (!scenario->unknown_msr_gp && strcmp(text, "unmodelled") != 0) {
        value_error(L, path, "must be \"unmodelled\" or \"gp\"");
    }
}

static void read_until(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;
    const char *symbol = value_text(L, -1, path, PLACE_NAME_MAX - 1);

    (void)row;
    free(scenario->until);
    scenario->until = strdup(symbol);
    if (!scenario->until) {
        value_error(L, path, "out of memory");
    }
}

static void read_snapshot(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;
    const char *text = value_text(L, -1, path, PLACE_NAME_MAX);
    struct error error;

    (void)row;
    if (place_parse(&scenario->snapshot, text, &error) != SNPEMU_OK) {
        value_error(L, path, "%s", error.text);
    }
}

static void read_host(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;

    (void)row;
    scenario_read_host(L, path, &scenario->host);
}

static void read_turn(lua_State *L, const char *path, struct scenario *scenario,
                      struct scenario_turn *turn)
{
    static const struct value_row rows[] = {
        {"cpu", value_read_u32, offsetof(struct scenario_turn, cpu), 0, HYPERVISOR_CPU_MAX - 1},
        {"instructions", value_read_u64, offsetof(struct scenario_turn, instructions), 1,
         UINT64_MAX},
    };

    if (value_table(L, -1, path, rows, sizeof(rows) / sizeof(rows[0]), turn) != 3) {
        value_error(L, path, "needs both cpu and instructions");
    }
    if (turn->cpu >= scenario->cpus) {
        value_error(L, path, "there is no vCPU %u: cpus is %u", turn->cpu, scenario->cpus);
    }
}

static void read_order(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;
    size_t count = value_array(L, -1, path, SCENARIO_ORDER_MAX);

    (void)row;
    free(scenario->order);
    scenario->order_count = 0;
    scenario->order = calloc(count + 1, sizeof(*scenario->order));
    if (!scenario->order) {
        value_error(L, path, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i + 1);
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        read_turn(L, element, scenario, &scenario->order[i]);
        lua_pop(L, 1);
    }
    scenario->order_count = count;
}

static void read_schedule(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    static const struct value_row rows[] = {
        {"quantum", value_read_u64, offsetof(struct scenario, quantum), 1, UINT64_MAX},
        {"random", value_read_bool, offsetof(struct scenario, schedule_random), 0, 0},
        {"order", read_order, 0, 0, 0},
    };

    (void)row;
    value_table(L, -1, path, rows, sizeof(rows) / sizeof(rows[0]), target);
}

static void read_on(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;

    (void)row;
    scenario->scripted = script_check_on(L, path);
}

static void read_oracles(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;

    (void)row;
    scenario->oracles = scenario_read_oracles(L, path);
}

static void read_expect(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct scenario *scenario = target;

    (void)row;
    scenario_read_expect(L, path, &scenario->expect);
}

#define AT(field) offsetof(struct scenario, field)

/* In the order of reading: `cpus` sets up what `host` then bends. */
static const struct value_row scenario_rows[] = {
    {"image", read_image, 0, 0, 0},
    {"firmware", read_firmware, 0, 0, 0},
    {"cpus", read_cpus, AT(cpus), 1, HYPERVISOR_CPU_MAX},
    {"memory_mib", read_memory, AT(memory_mib), 0, MEMORY_MIB_MAX},
    {"guest_memory_mib", read_guest_memory, AT(guest_memory_mib), GUEST_MEMORY_MIB_MIN,
     GUEST_MEMORY_MIB_MAX},
    {"budget", value_read_u64, AT(budget), 1, UINT64_MAX},
    {"exit_budget", value_read_u64, AT(exit_budget), 1, UINT64_MAX},
    {"seed", value_read_u64, AT(seed), 0, UINT64_MAX},
    {"schedule", read_schedule, 0, 0, 0},
    {"host", read_host, 0, 0, 0},
    {"on", read_on, 0, 0, 0},
    {"oracles", read_oracles, 0, 0, 0},
    {"until_symbol", read_until, 0, 0, 0},
    {"snapshot", read_snapshot, 0, 0, 0},
    {"expect", read_expect, 0, 0, 0},
    {"unknown_msr", read_unknown_msr, 0, 0, 0},
    {"strict", value_read_bool, AT(strict), 0, 0},
    {"unused_ok", value_read_bool, AT(unused_ok), 0, 0},
};

struct reading {
    struct scenario *scenario;
    uint32_t cpus; /* not 0: instead of the script's */
};

static int read_protected(lua_State *L)
{
    const struct reading *reading = lua_touserdata(L, 1);

    sandbox_push_result(L);
    if (reading->cpus) {
        lua_pushliteral(L, "cpus");
        lua_pushinteger(L, reading->cpus);
        lua_rawset(L, -3);
    }
    value_table(L, -1, "", scenario_rows, sizeof(scenario_rows) / sizeof(scenario_rows[0]),
                reading->scenario);
    if (!reading->scenario->image) {
        value_error(L, "image", "is missing: name a built image, or a path to an ELF file");
    }
    return 0;
}

/* Everything that the script decides, back to its default. */
static void set_defaults(struct scenario *scenario, uint32_t cpus)
{
    free(scenario->image);
    scenario->image = NULL;
    free(scenario->firmware);
    scenario->firmware = NULL;
    scenario->cpus = cpus;
    scenario->memory_mib = 0;
    scenario->guest_memory_mib = SCENARIO_GUEST_MEMORY_MIB_DEFAULT;
    scenario->budget = SCENARIO_BUDGET_DEFAULT;
    scenario->exit_budget = SCENARIO_EXIT_BUDGET_DEFAULT;
    scenario->seed = SCENARIO_SEED_DEFAULT;
    scenario->quantum = SCENARIO_QUANTUM_DEFAULT;
    scenario->schedule_random = false;
    free(scenario->order);
    scenario->order = NULL;
    scenario->order_count = 0;
    scenario->scripted = false;
    scenario->strict = false;
    scenario->unknown_msr_gp = false;
    scenario->unused_ok = false;
    scenario->oracles = ORACLES_NONE;
    free(scenario->until);
    scenario->until = NULL;
    scenario->snapshot = (struct place){.kind = PLACE_NONE};
    expect_release(&scenario->expect);
    hypervisor_config_init(&scenario->host, cpus);
}

/* `cpus` 0: as the script says, by default 1. */
static int read_script(struct scenario *scenario, uint32_t cpus, struct error *error)
{
    struct reading reading = {.scenario = scenario, .cpus = cpus};
    struct sandbox *sandbox;
    int status = sandbox_new(&sandbox, scenario->path, NULL, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    set_defaults(scenario, cpus ? cpus : 1);
    status = sandbox_load(sandbox, scenario->source, scenario->source_size_bytes, error);
    if (status == SNPEMU_OK) {
        status = sandbox_call(sandbox, read_protected, &reading, error);
    }
    sandbox_free(sandbox);
    return status;
}

/* Opened without blocking: a FIFO would wait for its writer for ever. */
static int read_source(struct scenario *scenario, struct error *error)
{
    const char *path = scenario->path;
    int status = SNPEMU_ERR_IO;
    struct stat stat;
    size_t size = 0;
    ssize_t got;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (file < 0) {
        return error_set(error, status, "%s: cannot open the scenario: %s", path, strerror(errno));
    }
    if (fstat(file, &stat) < 0) {
        error_set(error, status, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(stat.st_mode)) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%s: is not a regular file", path);
        goto out;
    }
    scenario->source = malloc(SOURCE_MAX_BYTES + 1);
    if (!scenario->source) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", path);
        goto out;
    }
    while (size <= SOURCE_MAX_BYTES &&
           (got = read(file, scenario->source + size, SOURCE_MAX_BYTES + 1 - size)) != 0) {
        if (got < 0 && errno != EINTR) {
            error_set(error, status, "%s: %s", path, strerror(errno));
            goto out;
        }
        size += got > 0 ? (size_t)got : 0;
    }
    if (size > SOURCE_MAX_BYTES) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%s: is longer than %u KiB", path,
                           SOURCE_MAX_BYTES >> 10);
        goto out;
    }
    scenario->source_size_bytes = size;
    status = SNPEMU_OK;
out:
    close(file);
    return status;
}

/* "fixtures/percpu/pages-0.lua" -> "pages-0". */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *start = slash ? slash + 1 : path;
    size_t length = strlen(start);

    if (length > 4 && strcmp(start + length - 4, ".lua") == 0) {
        length -= 4;
    }
    return strndup(start, length);
}

/* `path` and nothing read; NULL when out of memory. */
static struct scenario *scenario_at(const char *path, struct error *error)
{
    struct scenario *scenario = calloc(1, sizeof(*scenario));

    if (scenario) {
        scenario->path = strdup(path);
        scenario->name = name_of(path);
    }
    if (!scenario || !scenario->path || !scenario->name) {
        error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", path);
        scenario_free(scenario);
        return NULL;
    }
    return scenario;
}

int scenario_load(struct scenario **result, const char *path, struct error *error)
{
    struct scenario *scenario = scenario_at(path, error);
    int status = scenario ? read_source(scenario, error) : SNPEMU_ERR_MEMORY;

    *result = NULL;
    if (status == SNPEMU_OK) {
        status = read_script(scenario, 0, error);
    }
    if (status == SNPEMU_OK) {
        *result = scenario;
    } else {
        scenario_free(scenario);
    }
    return status;
}

int scenario_read(struct scenario **result, const char *path, const char *source, size_t size_bytes,
                  struct error *error)
{
    struct scenario *scenario = scenario_at(path, error);
    int status = scenario ? SNPEMU_OK : SNPEMU_ERR_MEMORY;

    *result = NULL;
    if (status == SNPEMU_OK && size_bytes > SOURCE_MAX_BYTES) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%s: is longer than %u KiB", path,
                           SOURCE_MAX_BYTES >> 10);
    }
    if (status == SNPEMU_OK && !(scenario->source = malloc(size_bytes + 1))) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", path);
    }
    if (status == SNPEMU_OK) {
        memcpy(scenario->source, source, size_bytes);
        scenario->source_size_bytes = size_bytes;
        status = read_script(scenario, 0, error);
    }
    if (status == SNPEMU_OK) {
        *result = scenario;
    } else {
        scenario_free(scenario);
    }
    return status;
}

int scenario_for_image(struct scenario **result, const char *image, uint32_t cpus,
                       struct error *error)
{
    struct scenario *scenario = calloc(1, sizeof(*scenario));

    assert(cpus >= 1 && cpus <= HYPERVISOR_CPU_MAX);
    *result = NULL;
    if (scenario) {
        set_defaults(scenario, cpus);
        scenario->image = strdup(image);
        scenario->name = name_of(image);
    }
    if (!scenario || !scenario->image || !scenario->name) {
        scenario_free(scenario);
        return error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", image);
    }
    *result = scenario;
    return SNPEMU_OK;
}

void scenario_free(struct scenario *scenario)
{
    if (!scenario) {
        return;
    }
    free(scenario->path);
    free(scenario->source);
    free(scenario->name);
    free(scenario->image);
    free(scenario->firmware);
    free(scenario->order);
    free(scenario->until);
    expect_release(&scenario->expect);
    free(scenario);
}

int scenario_set_cpus(struct scenario *scenario, uint32_t cpus, struct error *error)
{
    assert(cpus >= 1 && cpus <= HYPERVISOR_CPU_MAX);
    if (!scenario->path) {
        scenario->cpus = cpus;
        hypervisor_config_init(&scenario->host, cpus);
        return SNPEMU_OK;
    }
    return read_script(scenario, cpus, error);
}

void scenario_set_apic_ids(struct scenario *scenario, const uint32_t *apic_id, size_t count)
{
    assert(count >= 1 && count <= HYPERVISOR_APIC_ID_MAX);
    memcpy(scenario->host.apic_id, apic_id, count * sizeof(*apic_id));
    scenario->host.apic_id_count = count;
    scenario->host.bsp_apic_id = apic_id[0];
}

int scenario_host(const struct scenario *scenario, struct host **host, struct error *error)
{
    *host = NULL;
    if (scenario->scripted) {
        return script_host_new(host, scenario, error);
    }
    *host = host_honest_new();
    if (!*host) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    return SNPEMU_OK;
}
