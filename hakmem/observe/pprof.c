/* SPDX-License-Identifier: MIT */
/* See pprof.h. The encoding of protocol buffers: a field is its number and kind, then a varint or a length and bytes. */
#include "hakmem/observe/pprof.h"

#include <string.h>
#include <time.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/chance.h"

/* Numbers of fields, of message Profile first. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_STRING = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_SAMPLE_TYPE = 14,
    VALUE_TYPE_TYPE = 1,
    VALUE_TYPE_UNIT = 2,
    SAMPLE_LOCATION = 1,
    SAMPLE_VALUE = 2,
    SAMPLE_LABEL = 3,
    LABEL_KEY = 1,
    LABEL_NUMBER = 3,
    MAPPING_ID = 1,
    MAPPING_START = 2,
    MAPPING_LIMIT = 3,
    MAPPING_OFFSET = 4,
    MAPPING_FILE = 5,
    MAPPING_BUILD_ID = 6,
    LOCATION_ID = 1,
    LOCATION_MAPPING = 2,
    LOCATION_ADDRESS = 3,
};

/* The strings with a number of their own; those of mappings follow. */
enum {
    TEXT_NONE,
    TEXT_ALLOC_OBJECTS,
    TEXT_COUNT,
    TEXT_ALLOC_SPACE,
    TEXT_BYTES,
    TEXT_INUSE_OBJECTS,
    TEXT_INUSE_SPACE,
    TEXT_SPACE,
    TEXT_DROPPED,
    TEXT_SHORTENED,
    TEXT_SWITCHED,
    TEXT_THREAD,
    TEXTS
};
static const char *const texts[TEXTS] = {
    "",
    "alloc_objects",
    "count",
    "alloc_space",
    "bytes",
    "inuse_objects",
    "inuse_space",
    "space",
    "samples were lost for want of memory: estimates are too low",
    "samples have a call but no callers: the table of callers is full",
    "the profile was switched while the program ran: what was allocated while it was off is not in it",
    "thread",
};

/* A message within another: no longer than this. The longest is a sample, of a location for each frame, four values and
 * two labels. */
struct message {
    size_t used;
    unsigned char bytes[320];
};

/* The addresses that have a location: an open-addressed table, half full at most. A location's number is that of its
 * entry, and one more. */
struct locations {
    uint64_t *addresses; /* 0: unused */
    uint64_t count;      /* a power of two */
};

/* The mappings of code, ascending. */
struct code {
    uint64_t start, end;
};

struct codes {
    struct code *ranges;
    size_t count;
};

static size_t varint(unsigned char *bytes, uint64_t value) {
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[count++] = (unsigned char)(value | 0x80);
    }
    bytes[count++] = (unsigned char)value;
    return count;
}

static void message_number(struct message *message, unsigned field, uint64_t value) {
    message->used += varint(message->bytes + message->used, field << 3);
    message->used += varint(message->bytes + message->used, value);
}

static void put_bytes(struct hak_text *output, unsigned field, const void *bytes, size_t count) {
    struct message head = {0};
    head.used += varint(head.bytes, field << 3 | 2);
    head.used += varint(head.bytes + head.used, count);
    hak_text_add_bytes(output, head.bytes, head.used);
    hak_text_add_bytes(output, bytes, count);
}

static void put_message(struct hak_text *output, unsigned field, const struct message *message) {
    put_bytes(output, field, message->bytes, message->used);
}

static void put_number(struct hak_text *output, unsigned field, uint64_t value) {
    struct message message = {0};
    message_number(&message, field, value);
    hak_text_add_bytes(output, message.bytes, message.used);
}

static void put_value_type(struct hak_text *output, unsigned field, uint64_t type, uint64_t unit) {
    struct message message = {0};
    message_number(&message, VALUE_TYPE_TYPE, type);
    message_number(&message, VALUE_TYPE_UNIT, unit);
    put_message(output, field, &message);
}

/* The site 0, of all further paths, is entered as an address that no code has. */
static uint64_t location_key(uint64_t address) { return address == 0 ? UINT64_MAX : address; }

/* Where the address is entered, or belongs. */
static uint64_t location_find(const struct locations *locations, uint64_t address) {
    const uint64_t key = location_key(address);
    uint64_t at = (key * 0x9e3779b97f4a7c15u) >> 32; /* Knuth's multiplicative hashing, as in region/block_table.c */
    while (locations->addresses[at % locations->count] != 0 && locations->addresses[at % locations->count] != key) {
        at++;
    }
    return at % locations->count;
}

static uint64_t scaled(uint64_t samples, double chance) { return (uint64_t)((double)samples / chance + 0.5); }

/* Writes the mappings of code, numbered from 1 in their order, which is that of their addresses, and notes them. Each has two
 * strings. `memory`: of /proc/self/mem; negative: build ids are not known */
static void put_mappings(struct hak_text *output, const struct maps *maps, int memory, struct codes *codes) {
    struct maps_entry entry;
    size_t position = 0;
    char build_id[MAPS_BUILD_ID_MOST];
    while (hak_maps_next(maps, &position, &entry)) {
        if (!entry.executable) {
            continue;
        }
        struct message message = {0};
        message_number(&message, MAPPING_ID, codes->count + 1);
        message_number(&message, MAPPING_START, entry.start);
        message_number(&message, MAPPING_LIMIT, entry.end);
        message_number(&message, MAPPING_OFFSET, entry.offset);
        message_number(&message, MAPPING_FILE, TEXTS + 2 * codes->count);
        message_number(&message, MAPPING_BUILD_ID, TEXTS + 2 * codes->count + 1);
        put_message(output, PROFILE_MAPPING, &message);
        put_bytes(output, PROFILE_STRING, entry.path, entry.path_length);
        put_bytes(output, PROFILE_STRING, build_id, memory < 0 ? 0 : hak_maps_build_id(memory, &entry, build_id));
        codes->ranges[codes->count++] = (struct code){.start = entry.start, .end = entry.end};
    }
}

/* Number of the mapping of code that the address is in; 0: of none */
static uint64_t mapping_of(const struct codes *codes, uint64_t address) {
    size_t low = 0, high = codes->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (address >= codes->ranges[middle].end) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < codes->count && address >= codes->ranges[low].start ? low + 1 : 0;
}

/* Writes the address's location unless it has one. Returns its number. */
static uint64_t put_location(struct hak_text *output, const struct locations *locations, const struct codes *codes,
                             uint64_t address) {
    const uint64_t at = location_find(locations, address);
    if (locations->addresses[at] == 0) {
        locations->addresses[at] = location_key(address);
        struct message message = {0};
        message_number(&message, LOCATION_ID, at + 1);
        message_number(&message, LOCATION_MAPPING, mapping_of(codes, address));
        message_number(&message, LOCATION_ADDRESS, address);
        put_message(output, PROFILE_LOCATION, &message);
    }
    return at + 1;
}

/* A number that a sample has besides its values. */
static void message_label(struct message *message, uint64_t key, uint64_t number) {
    struct message label = {0};
    message_number(&label, LABEL_KEY, key);
    message_number(&label, LABEL_NUMBER, number);
    message->used += varint(message->bytes + message->used, SAMPLE_LABEL << 3 | 2);
    message->used += varint(message->bytes + message->used, label.used);
    memcpy(message->bytes + message->used, label.bytes, label.used);
    message->used += label.used;
}

static void put_sample(struct hak_text *output, const struct locations *locations, const struct codes *codes,
                       const struct hak_profile_table *table, const struct profile_record *record) {
    const double chance = hak_chance_of(record->size, record->rate);
    const uint64_t live = record->allocations - record->frees;
    const uint64_t values[] = {scaled(record->allocations, chance), scaled(record->allocations * record->size, chance),
                               scaled(live, chance), scaled(live * record->size, chance)};
    struct message message = {0};
    message_number(&message, SAMPLE_LOCATION, put_location(output, locations, codes, record->site));
    for (uint32_t i = 0; i < record_caller_count(record); i++) {
        message_number(&message, SAMPLE_LOCATION,
                       put_location(output, locations, codes, record_callers(table, record)[i]));
    }
    for (unsigned i = 0; i < 4; i++) {
        message_number(&message, SAMPLE_VALUE, values[i]);
    }
    message_label(&message, TEXT_BYTES, record->size);
    if (record->thread != 0) {
        message_label(&message, TEXT_THREAD, record->thread);
    }
    put_message(output, PROFILE_SAMPLE, &message);
}

static void put_samples(struct hak_text *output, const struct hak_profile_table *table, uint32_t count,
                        const struct locations *locations, const struct codes *codes) {
    for (uint32_t index = 0; index < count; index++) {
        const struct profile_record record = hak_record_read(table, index);
        if (record.allocations != 0) {
            put_sample(output, locations, codes, table, &record);
        }
    }
}

/* Relaxed, all: a snapshot. */
static void put_comments(struct hak_text *output, const struct hak_profile_table *table) {
    if (hak_load_relaxed(&table->dropped) != 0) {
        put_number(output, PROFILE_COMMENT, TEXT_DROPPED);
    }
    if (hak_load_relaxed(&table->shortened) != 0) {
        put_number(output, PROFILE_COMMENT, TEXT_SHORTENED);
    }
    if (hak_load_relaxed(&table->is_whole) == 0) {
        put_number(output, PROFILE_COMMENT, TEXT_SWITCHED);
    }
}

static void put_head(struct hak_text *output, uint64_t rate) {
    for (unsigned i = 0; i < TEXTS; i++) {
        put_bytes(output, PROFILE_STRING, texts[i], strlen(texts[i]));
    }
    put_value_type(output, PROFILE_SAMPLE_TYPE, TEXT_ALLOC_OBJECTS, TEXT_COUNT);
    put_value_type(output, PROFILE_SAMPLE_TYPE, TEXT_ALLOC_SPACE, TEXT_BYTES);
    put_value_type(output, PROFILE_SAMPLE_TYPE, TEXT_INUSE_OBJECTS, TEXT_COUNT);
    put_value_type(output, PROFILE_SAMPLE_TYPE, TEXT_INUSE_SPACE, TEXT_BYTES);
    put_value_type(output, PROFILE_PERIOD_TYPE, TEXT_SPACE, TEXT_BYTES);
    put_number(output, PROFILE_PERIOD, rate);
    put_number(output, PROFILE_DEFAULT_SAMPLE_TYPE, TEXT_INUSE_SPACE);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put_number(output, PROFILE_TIME_NANOS, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

static size_t maps_count(const struct maps *maps) {
    struct maps_entry entry;
    size_t position = 0, count = 0;
    while (hak_maps_next(maps, &position, &entry)) {
        count++;
    }
    return count;
}

int hak_pprof_write(struct hak_text *output, const struct hak_profile_table *table, const struct maps *maps) {
    /* Relaxed, all: a snapshot. The records that are counted first name none but the frames that are counted then. */
    const uint64_t rate = hak_load_relaxed(&table->rate);
    const uint32_t count = hak_record_count(table);
    struct locations locations = {.count = 2};
    while (locations.count < 2 * (count + hak_load_relaxed(&table->frames_used))) {
        locations.count *= 2;
    }
    struct codes codes = {.count = 0};
    void *memory;
    const size_t bytes = bits_round_up(
        locations.count * sizeof *locations.addresses + maps_count(maps) * sizeof *codes.ranges, hak_os_page_size());
    const int error = hak_os_map(bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    locations.addresses = memory;
    codes.ranges = (struct code *)(void *)(locations.addresses + locations.count);
    put_head(output, rate);
    put_comments(output, table);
    int self = -1;
    const bool has_self = hak_os_file_open("/proc/self/mem", &self) == 0;
    put_mappings(output, maps, has_self ? self : -1, &codes);
    if (has_self) {
        (void)hak_os_file_close(self);
    }
    put_samples(output, table, count, &locations, &codes);
    hak_os_unmap(memory, bytes);
    return 0;
}

/* "LIVE: BYTES [ALL: BYTES] @" */
static void put_counts(struct hak_text *output, uint64_t live, uint64_t live_bytes, uint64_t all, uint64_t all_bytes) {
    hak_text_add_decimal(output, live);
    hak_text_add(output, ": ");
    hak_text_add_decimal(output, live_bytes);
    hak_text_add(output, " [");
    hak_text_add_decimal(output, all);
    hak_text_add(output, ": ");
    hak_text_add_decimal(output, all_bytes);
    hak_text_add(output, "] @ ");
}

/* For a reader who scales all counts by one rate: of a record of another, the count that stands for as many blocks. */
static struct profile_record read_at_rate(const struct hak_profile_table *table, uint32_t index, uint64_t rate) {
    struct profile_record record = hak_record_read(table, index);
    if (record.rate != rate) {
        const double ratio = hak_chance_of(record.size, record.rate) / hak_chance_of(record.size, rate);
        const uint64_t live = scaled(record.allocations - record.frees, ratio);
        record.allocations = scaled(record.allocations, ratio);
        record.frees = record.allocations - live;
    }
    return record;
}

void hak_pprof_write_text(struct hak_text *output, const struct hak_profile_table *table, const struct maps *maps) {
    const uint64_t rate = hak_load_relaxed(&table->rate);
    const uint32_t count = hak_record_count(table);
    uint64_t live = 0, live_bytes = 0, all = 0, all_bytes = 0;
    for (uint32_t index = 0; index < count; index++) {
        const struct profile_record record = read_at_rate(table, index, rate);
        live += record.allocations - record.frees;
        live_bytes += (record.allocations - record.frees) * record.size;
        all += record.allocations;
        all_bytes += record.allocations * record.size;
    }
    hak_text_add(output, "heap profile: ");
    put_counts(output, live, live_bytes, all, all_bytes);
    /* Counts of a profile of every block are not scaled. */
    hak_text_add(output, rate == 1 ? "heapprofile" : "heap_v2/");
    if (rate != 1) {
        hak_text_add_decimal(output, rate);
    }
    hak_text_add(output, "\n");
    for (uint32_t index = 0; index < count; index++) {
        const struct profile_record record = read_at_rate(table, index, rate);
        if (record.allocations != 0) {
            live = record.allocations - record.frees;
            put_counts(output, live, live * record.size, record.allocations, record.allocations * record.size);
            hak_text_add_address(output, record.site);
            for (uint32_t i = 0; i < record_caller_count(&record); i++) {
                hak_text_add(output, " ");
                /* Where the call returns to: google-pprof takes one off all addresses but the first. */
                hak_text_add_address(output, record_callers(table, &record)[i] + 1);
            }
            hak_text_add(output, "\n");
        }
    }
    hak_text_add(output, "\nMAPPED_LIBRARIES:\n");
    hak_text_add_bytes(output, maps->text, maps->length);
}
