/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `host` table of a scenario: the shape of the honest hypervisor.
 */
#include <string.h>

#include "abi/msr.h"
#include "host/internal.h"
#include "host/value.h"

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])
#define AT(field) offsetof(struct hypervisor_config, field)
#define GPA_MAX ((1ULL << 52) - 1)
#define PAGE_MASK 0xFFFULL

/* From above the 32-bit space to the highest physical address bit (AMD APM Vol 2, 5.3). */
#define CBIT_MIN 32
#define CBIT_MAX 51

static void read_ids(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct hypervisor_config *config = target;
    size_t count = value_array(L, -1, path, HYPERVISOR_APIC_ID_MAX);

    for (size_t i = 0; i < count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i + 1);
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        config->apic_id[i] = (uint32_t)value_range(L, -1, element, row->min, row->max);
        lua_pop(L, 1);
    }
    config->apic_id_count = count;
    config->bsp_apic_id = count ? config->apic_id[0] : 0;
}

static void read_pages(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct hypervisor_config *config = target;

    value_read_u64(L, path, row, target);
    config->apic_pages_set = true;
}

static void read_count(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct hypervisor_config *config = target;

    value_read_u32(L, path, row, target);
    config->apic_count_set = true;
}

/* `bsp` comes after `ids`, whose first element is its default. */
static const struct value_row apic_ids_rows[] = {
    {"ids", read_ids, 0, 0, UINT32_MAX},
    {"bsp", value_read_u32, AT(bsp_apic_id), 0, UINT32_MAX},
    {"pages", read_pages, AT(apic_pages), 0, UINT64_MAX},
    {"count", read_count, AT(apic_count), 0, UINT32_MAX},
};

static void read_apic_ids(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    (void)row;
    value_table(L, -1, path, ROWS(apic_ids_rows), target);
}

static const struct value_row versions_rows[] = {
    {"min", value_read_u16, AT(version_min), 0, UINT16_MAX},
    {"max", value_read_u16, AT(version_max), 0, UINT16_MAX},
};

static void read_versions(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    (void)row;
    value_table(L, -1, path, ROWS(versions_rows), target);
}

static const struct value_row guest_vmsa_rows[] = {
    {"vmpl", value_read_u8, AT(guest_vmsa_vmpl), 0, UINT8_MAX},
    {"sev_features", value_read_u64, AT(guest_vmsa_sev_features), 0, UINT64_MAX},
};

static void read_guest_vmsa(lua_State *L, const char *path, const struct value_row *row,
                            void *target)
{
    (void)row;
    value_table(L, -1, path, ROWS(guest_vmsa_rows), target);
}

#define LEAF(field) offsetof(struct cpuid_leaf, field)

/* The first two rows are all that `remove` takes. */
static const struct value_row cpuid_rows[] = {
    {"leaf", value_read_u32, LEAF(eax_in), 0, UINT32_MAX},
    {"subleaf", value_read_u32, LEAF(ecx_in), 0, UINT32_MAX},
    {"eax", value_read_u32, LEAF(eax), 0, UINT32_MAX},
    {"ebx", value_read_u32, LEAF(ebx), 0, UINT32_MAX},
    {"ecx", value_read_u32, LEAF(ecx), 0, UINT32_MAX},
    {"edx", value_read_u32, LEAF(edx), 0, UINT32_MAX},
    {"xcr0", value_read_u64, LEAF(xcr0_in), 0, UINT64_MAX},
    {"xss", value_read_u64, LEAF(xss_in), 0, UINT64_MAX},
};

#define CPUID_KEY_ROWS 2
#define CPU_NAME_MAX 16
#define GIVEN_LEAF 1u
#define GIVEN_SUBLEAF 2u

static void remove_leaf(lua_State *L, const char *path, struct hypervisor_config *config)
{
    struct cpuid_leaf key = {0};
    uint64_t given = value_table(L, -1, path, cpuid_rows, CPUID_KEY_ROWS, &key);
    size_t kept = 0;

    if (!(given & GIVEN_LEAF)) {
        value_error(L, path, "must say which leaf");
    }
    for (size_t i = 0; i < config->cpuid_count; i++) {
        const struct cpuid_leaf *leaf = &config->cpuid[i];

        if (leaf->eax_in != key.eax_in || ((given & GIVEN_SUBLEAF) && leaf->ecx_in != key.ecx_in)) {
            config->cpuid[kept++] = *leaf;
        }
    }
    if (kept == config->cpuid_count) {
        value_error(L, path, "the CPUID page has no such leaf to remove");
    }
    config->cpuid_count = kept;
}

/* Change the first entry of that leaf and subleaf, else add one with zero in what is not said. */
static void set_leaf(lua_State *L, const char *path, struct hypervisor_config *config)
{
    struct cpuid_leaf key = {0};
    uint64_t given = value_table(L, -1, path, ROWS(cpuid_rows), &key);
    size_t i = 0;

    if (!(given & GIVEN_LEAF)) {
        value_error(L, path, "must say which leaf");
    }
    while (i < config->cpuid_count &&
           (config->cpuid[i].eax_in != key.eax_in || config->cpuid[i].ecx_in != key.ecx_in)) {
        i++;
    }
    if (i < config->cpuid_count) {
        value_table(L, -1, path, ROWS(cpuid_rows), &config->cpuid[i]);
        return;
    }
    if (i == HYPERVISOR_CPUID_MAX) {
        value_error(L, path, "the CPUID page is full (%d entries)", HYPERVISOR_CPUID_MAX);
    }
    config->cpuid[i] = key;
    config->cpuid_count++;
}

static void each_leaf(lua_State *L, const char *path, struct hypervisor_config *config,
                      void (*change)(lua_State *, const char *, struct hypervisor_config *))
{
    size_t count = value_array(L, -1, path, HYPERVISOR_CPUID_MAX);

    for (size_t i = 1; i <= count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i);
        lua_rawgeti(L, -1, (lua_Integer)i);
        change(L, element, config);
        lua_pop(L, 1);
    }
}

static void read_remove(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    (void)row;
    each_leaf(L, path, target, remove_leaf);
}

static void read_set(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    (void)row;
    each_leaf(L, path, target, set_leaf);
}

static const struct value_row cpuid_changes_rows[] = {
    {"remove", read_remove, 0, 0, 0},
    {"set", read_set, 0, 0, 0},
};

static void read_cpuid(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    (void)row;
    value_table(L, -1, path, ROWS(cpuid_changes_rows), target);
}

static void read_prevalidated(lua_State *L, const char *path, const struct value_row *row,
                              void *target)
{
    struct hypervisor_config *config = target;
    size_t count = value_array(L, -1, path, HYPERVISOR_PREVALIDATED_MAX);

    for (size_t i = 0; i < count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i + 1);
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        config->prevalidated[i] = value_range(L, -1, element, row->min, row->max);
        if (config->prevalidated[i] & PAGE_MASK) {
            value_error(L, element, "must be the address of a 4 KiB page");
        }
        lua_pop(L, 1);
    }
    config->prevalidated_count = count;
}

/* A table of names and texts; its order does not matter. */
static void read_fw_cfg(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct hypervisor_config *config = target;

    (void)row;
    if (!lua_istable(L, -1)) {
        value_error(L, path, "must be a table of names and texts");
    }
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        char element[VALUE_PATH_MAX];
        const char *bytes;
        size_t size;

        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
            value_error(L, path, "must have names for keys and texts for values");
        }
        value_path(element, path, lua_tostring(L, -2));
        if (strlen(lua_tostring(L, -2)) != lua_rawlen(L, -2)) {
            value_error(L, element, "must be a name without NUL");
        }
        bytes = lua_tolstring(L, -1, &size);
        if (!fw_cfg_add_file(&config->fw_cfg, lua_tostring(L, -2), bytes, size)) {
            value_error(L, element,
                        "does not fit: at most %d files with names of 1 to %d bytes, %d KiB in all",
                        FW_CFG_FILE_MAX, FW_CFG_NAME_SIZE - 1, FW_CFG_BYTES_MAX >> 10);
        }
        lua_pop(L, 1);
    }
}

struct mmio_reading {
    struct mmio_device device;
    const char *bytes;
    size_t byte_count;
};

static void read_registers(lua_State *L, const char *path, const struct value_row *row,
                           void *target)
{
    struct mmio_reading *reading = target;

    (void)row;
    if (lua_type(L, -1) != LUA_TSTRING) {
        value_error(L, path, "must be a text of the bytes");
    }
    reading->bytes = lua_tolstring(L, -1, &reading->byte_count);
}

#define DEVICE(field) offsetof(struct mmio_reading, device.field)

static const struct value_row mmio_rows[] = {
    {"gpa", value_read_u64, DEVICE(gpa), 0, GPA_MAX},
    {"size", value_read_u32, DEVICE(size_bytes), 1, MMIO_BYTES_MAX},
    {"bytes", read_registers, 0, 0, 0},
    {"read_only", value_read_bool, DEVICE(read_only), 0, 0},
};

#define GIVEN_GPA_AND_SIZE 3u

static void read_mmio(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct hypervisor_config *config = target;
    size_t count = value_array(L, -1, path, MMIO_DEVICE_MAX);

    (void)row;
    for (size_t i = 1; i <= count; i++) {
        struct mmio_reading reading = {.bytes = ""};
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i);
        lua_rawgeti(L, -1, (lua_Integer)i);
        if ((value_table(L, -1, element, ROWS(mmio_rows), &reading) & GIVEN_GPA_AND_SIZE) !=
            GIVEN_GPA_AND_SIZE) {
            value_error(L, element, "must say gpa and size");
        }
        if (!mmio_add(&config->mmio, &reading.device, reading.bytes, reading.byte_count)) {
            value_error(L, element,
                        "overlaps another device, has more bytes than its size, or is too much: at "
                        "most %d bytes in all",
                        MMIO_BYTES_MAX);
        }
        lua_pop(L, 1);
    }
}

static void read_virtual_tom(lua_State *L, const char *path, const struct value_row *row,
                             void *target)
{
    struct hypervisor_config *config = target;

    value_read_u64(L, path, row, target);
    if (config->virtual_tom & ~VIRTUAL_TOM_MASK) {
        value_error(L, path, "must be the address of a 2 MiB page");
    }
}

/* Both texts; the bytes need not be text. */
struct certificate_reading {
    const char *guid, *bytes;
    size_t byte_count;
};

static void read_certificate_text(lua_State *L, const char *path, const struct value_row *row,
                                  void *target)
{
    struct certificate_reading *reading = target;

    if (lua_type(L, -1) != LUA_TSTRING) {
        value_error(L, path, "must be a text");
    }
    if (row->offset == offsetof(struct certificate_reading, guid)) {
        reading->guid = lua_tostring(L, -1);
    } else {
        reading->bytes = lua_tolstring(L, -1, &reading->byte_count);
    }
}

static const struct value_row certificate_rows[] = {
    {"guid", read_certificate_text, offsetof(struct certificate_reading, guid), 0, 0},
    {"bytes", read_certificate_text, offsetof(struct certificate_reading, bytes), 0, 0},
};

#define GIVEN_GUID_AND_BYTES 3u

static void read_certificates(lua_State *L, const char *path, const struct value_row *row,
                              void *target)
{
    struct hypervisor_config *config = target;
    size_t count = value_array(L, -1, path, CERTIFICATE_MAX);

    (void)row;
    config->certificates.given = true;
    for (size_t i = 1; i <= count; i++) {
        struct certificate_reading reading = {0};
        uint8_t guid[CERTIFICATE_GUID_SIZE];
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i);
        lua_rawgeti(L, -1, (lua_Integer)i);
        if (value_table(L, -1, element, ROWS(certificate_rows), &reading) != GIVEN_GUID_AND_BYTES) {
            value_error(L, element, "must say guid and bytes");
        }
        if (!certificates_guid(reading.guid, guid)) {
            value_error(L, element, "the guid must look like " CERTIFICATE_VCEK_GUID);
        }
        if (!certificates_add(&config->certificates, guid, reading.bytes, reading.byte_count)) {
            value_error(L, element, "does not fit: at most %d bytes in all", CERTIFICATE_BYTES_MAX);
        }
        lua_pop(L, 1);
    }
}

/* Shorter ones are filled up with zeroes. */
static void read_host_data(lua_State *L, const char *path, const struct value_row *row,
                           void *target)
{
    struct hypervisor_config *config = target;
    const char *bytes;
    size_t size;

    (void)row;
    if (lua_type(L, -1) != LUA_TSTRING) {
        value_error(L, path, "must be a text of the bytes");
    }
    bytes = lua_tolstring(L, -1, &size);
    if (size > sizeof(config->host_data)) {
        value_error(L, path, "must have at most %d bytes", (int)sizeof(config->host_data));
    }
    memset(config->host_data, 0, sizeof(config->host_data));
    memcpy(config->host_data, bytes, size);
}

/* Source: virtee/sev src/firmware/guest/types/snp.rs, GuestPolicy: bit 17 must be one. */
static void read_policy(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct hypervisor_config *config = target;

    value_read_u64(L, path, row, target);
    if (!(config->policy & POLICY_RESERVED_ONE)) {
        value_error(L, path, "must have bit 17 set, which is reserved");
    }
}

static const char *profile_name_at(const void *names, size_t i)
{
    (void)names;
    return i < cpu_profile_count ? cpu_profiles[i].name : NULL;
}

static void read_cpu(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    const char *name = value_text(L, -1, path, CPU_NAME_MAX);
    const struct cpu_profile *profile = cpu_profile_by_name(name);

    (void)row;
    if (!profile) {
        value_unknown_name(L, path, "processor", name, profile_name_at, NULL);
        return;
    }
    hypervisor_config_cpu(target, profile);
}

/* In this order: a processor comes before changes to its leaves. */
static const struct value_row host_rows[] = {
    {"cpu", read_cpu, 0, 0, 0},
    {"apic_ids", read_apic_ids, 0, 0, 0},
    {"versions", read_versions, 0, 0, 0},
    {"features", value_read_u64, AT(features), 0, UINT64_MAX},
    {"sev_features", value_read_u64, AT(sev_features), 0, UINT64_MAX},
    {"virtual_tom", read_virtual_tom, AT(virtual_tom), 0, VIRTUAL_TOM_MASK},
    {"guest_vmsa", read_guest_vmsa, 0, 0, 0},
    {"cbit", value_read_u8, AT(cbit), CBIT_MIN, CBIT_MAX},
    {"cpuid", read_cpuid, 0, 0, 0},
    {"prevalidated", read_prevalidated, 0, 0, GPA_MAX},
    {"fw_cfg", read_fw_cfg, 0, 0, 0},
    {"mmio", read_mmio, 0, 0, 0},
    {"policy", read_policy, AT(policy), 0, UINT64_MAX},
    {"host_data", read_host_data, 0, 0, 0},
    {"certificates", read_certificates, 0, 0, 0},
};

void scenario_read_host(lua_State *L, const char *path, struct hypervisor_config *config)
{
    value_table(L, -1, path, ROWS(host_rows), config);
}
