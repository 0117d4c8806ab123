/* SPDX-License-Identifier: MIT */
/* Call sites: each return address gets an index when it is first seen, and is named by file and address within it when
 * the index is written out. Where callers are recorded, a site is a return address and the site of its caller: sites are the
 * nodes of the tree of calls, and what calls have in common is stored once.
 *
 * Lookups take no lock. The file that a return address lies in is asked of _dl_find_object, which takes no lock and
 * allocates nothing either: dladdr would wait for a loader that may be waiting for this thread. A library that was
 * unloaded before its sites were written gives sites of no module. */
#include "bench/trace/recorder.h"

#include "bench/trace/crc32.h"

#include <dlfcn.h>
#include <string.h>

/* Bytes of a module's or a site's entry without its name, of a caller's, and of a chunk's start, at most. */
#define ENTRY_MAX (2 * TRACE_VARINT_MAX)

static size_t slot_of(const void *address, uint32_t caller) {
    uint64_t key = (uintptr_t)address ^ (uint64_t)caller << 44;
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % RECORDER_SITE_SLOTS;
}

/* The slot that holds the site, or the free one where it belongs; half of them stay free. */
static uint32_t *find(struct recorder *recorder, const void *address, uint32_t caller, uint32_t *index) {
    for (size_t i = slot_of(address, caller);; i = (i + 1) % RECORDER_SITE_SLOTS) {
        *index = hak_load_acquire(&recorder->site_index[i]); /* acquire: address and caller were written before it */
        if (*index == 0 || (recorder->site_address[*index] == address && recorder->site_caller[*index] == caller)) {
            return &recorder->site_index[i];
        }
    }
}

/* The index of a site whose caller has one. 0 where there is no room. */
static uint32_t site_of(const void *address, uint32_t caller) {
    struct recorder *recorder = recorder_state;
    uint32_t index;
    find(recorder, address, caller, &index);
    if (index != 0 || !recorder_lock_take(&recorder->sites_lock, &recorder_self)) {
        return index;
    }
    uint32_t *slot = find(recorder, address, caller, &index); /* perhaps another thread was faster */
    if (index == 0 && recorder->site_count + 1 < TRACE_SITES_MAX) {
        index = ++recorder->site_count;
        recorder->site_address[index] = address;
        recorder->site_caller[index] = caller;
        hak_store_release(slot, index); /* release: both are read without the lock */
    }
    recorder_lock_give(&recorder->sites_lock);
    return index;
}

/* Outermost first. A path that finds no room half-way has no site at all: with fewer callers it would be another path. */
uint32_t sites_index(const void *caller) {
    const void *callers[TRACE_FRAMES_MAX];
    uint32_t index = 0;
    unsigned count = recorder_settings.frames != 0 ? callers_find(caller, callers) : 0;
    for (unsigned i = count; i-- > 0;) {
        index = site_of(callers[i], index);
        if (index == 0) {
            return 0;
        }
    }
    return site_of(caller, index);
}

/* Index of the module with that map, from 1; a new one goes into the file. 0 where there is no room. */
static uint32_t module_index(struct recorder *recorder, const struct link_map *map) {
    const char *name = map->l_name;
    size_t length = strlen(name);
    uint32_t name_crc = crc32_add(0, name, length);
    for (uint32_t i = 0; i < recorder->modules_known; i++) {
        const struct recorder_module *module = &recorder->modules[i];
        if (module->map == map && module->bias == map->l_addr && module->name_crc == name_crc) {
            return i + 1;
        }
    }
    if (recorder->modules_known + 1 >= TRACE_MODULES_MAX || length > PATH_MAX) {
        return 0;
    }
    uint32_t index = ++recorder->modules_known;
    recorder->modules[index - 1] = (struct recorder_module){map, map->l_addr, name_crc};
    uint8_t entry[ENTRY_MAX + TRACE_VARINT_MAX + PATH_MAX], *at = trace_put(trace_put(entry, index), 1);
    at += output_string(at, name, length);
    output_chunk(TRACE_MODULES, 0, entry, (size_t)(at - entry));
    return index;
}

/* Writes the chunk of entries `from` + 1 up to `last`, which lie in the payload up to `end`. First index and count are known
 * only now: they go right before the entries. */
static void write_range(enum trace_chunk_type type, uint32_t from, uint32_t last, const uint8_t *end) {
    uint8_t *const entries = recorder_state->payload + ENTRY_MAX;
    uint8_t start[ENTRY_MAX];
    size_t length = (size_t)(trace_put(trace_put(start, from + 1), last - from) - start);
    memcpy(entries - length, start, length);
    output_chunk(type, 0, entries - length, (size_t)(end - entries) + length);
}

/* The sites after `from` into one chunk; returns the last that had room. pre: output lock. */
static uint32_t write_some(struct recorder *recorder, uint32_t from, uint32_t to) {
    uint8_t *const end = recorder->payload + sizeof recorder->payload;
    uint8_t *at = recorder->payload + ENTRY_MAX;
    uint32_t index = from;
    while (index < to && end - at >= ENTRY_MAX) {
        const void *address = recorder->site_address[++index];
        struct dl_find_object found;
        uint32_t module = 0;
        uintptr_t offset = (uintptr_t)address;
        if (_dl_find_object((void *)address, &found) == 0) {
            module = module_index(recorder, found.dlfo_link_map);
            offset -= module != 0 ? found.dlfo_link_map->l_addr : 0;
        }
        at = trace_put(trace_put(at, module), offset);
    }
    write_range(TRACE_SITES, from, index, at);
    return index;
}

/* The callers of the sites after `from` up to `to`, which are in the file: they fit a chunk, as those did. */
static void write_callers(struct recorder *recorder, uint32_t from, uint32_t to) {
    uint8_t *at = recorder->payload + ENTRY_MAX;
    for (uint32_t index = from + 1; index <= to; index++) {
        at = trace_put(at, recorder->site_caller[index]);
    }
    write_range(TRACE_CALLERS, from, to, at);
}

void sites_write(void) {
    struct recorder *recorder = recorder_state;
    if (!recorder_lock_take(&recorder->sites_lock, &recorder_self)) {
        return;
    }
    uint32_t count = recorder->site_count;
    recorder_lock_give(&recorder->sites_lock);
    while (recorder->sites_written < count) {
        uint32_t from = recorder->sites_written;
        recorder->sites_written = write_some(recorder, from, count);
        if (recorder_settings.frames != 0) {
            write_callers(recorder, from, recorder->sites_written);
        }
    }
}
