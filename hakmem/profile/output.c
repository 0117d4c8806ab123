/* SPDX-License-Identifier: MIT */
/* See output.h. Formats: RFC 1951 (stored blocks), RFC 1952 (gzip). */
#include "hakmem/profile/output.h"

#include <string.h>

#include "hakmem/base/quiet.h"
#include "hakmem/os/os.h"

static void output_write(struct output *output, const unsigned char *bytes, size_t count) {
    if (output->error == 0) {
        output->error = hak_quiet_write(output->file, bytes, count);
    }
}

static void output_little_endian(unsigned char *bytes, uint32_t value) {
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

/* The polynomial of RFC 1952, reflected, four bits at a time. */
static uint32_t output_checksum(uint32_t checksum, const unsigned char *bytes, size_t count) {
    static uint32_t table[16]; /* the same whoever fills it */
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t remainder = i;
        for (int bit = 0; bit < 4; bit++) {
            remainder = remainder >> 1 ^ (0xedb88320u & -(remainder & 1));
        }
        __atomic_store_n(&table[i], remainder, __ATOMIC_RELAXED);
    }
    for (size_t i = 0; i < count; i++) {
        checksum ^= bytes[i];
        checksum = checksum >> 4 ^ __atomic_load_n(&table[checksum & 15], __ATOMIC_RELAXED);
        checksum = checksum >> 4 ^ __atomic_load_n(&table[checksum & 15], __ATOMIC_RELAXED);
    }
    return checksum;
}

static void output_flush(struct output *output, bool last) {
    if (output->gzip) {
        unsigned char header[5] = {last};
        output_little_endian(header + 1, output->used | ~output->used << 16);
        output_write(output, header, sizeof header);
        output->checksum = output_checksum(output->checksum, output->bytes, output->used);
        output->length += output->used;
    }
    output_write(output, output->bytes, output->used);
    output->used = 0;
}

int hak_output_open(struct output *output, const char *path, bool gzip) {
    static const unsigned char gzip_header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    output->file = -1;
    output->error = hak_os_file_create(path, &output->file);
    output->gzip = gzip;
    output->checksum = ~0u;
    output->length = 0;
    output->used = 0;
    if (gzip) {
        output_write(output, gzip_header, sizeof gzip_header);
    }
    return output->error;
}

void hak_output_bytes(struct output *output, const void *bytes, size_t count) {
    for (const unsigned char *from = bytes; count > 0;) {
        const size_t room = sizeof output->bytes - output->used;
        const size_t now = count < room ? count : room;
        memcpy(output->bytes + output->used, from, now);
        output->used += (uint32_t)now;
        from += now;
        count -= now;
        if (output->used == sizeof output->bytes) {
            output_flush(output, false);
        }
    }
}

void hak_output_text(struct output *output, const char *text) { hak_output_bytes(output, text, strlen(text)); }

/* pre: base is at most 16 */
static void output_number(struct output *output, uint64_t value, unsigned base) {
    char digits[20]; /* 2^64 - 1 has 20 */
    size_t first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    hak_output_bytes(output, digits + first, sizeof digits - first);
}

void hak_output_decimal(struct output *output, uint64_t value) { output_number(output, value, 10); }

void hak_output_address(struct output *output, uint64_t value) {
    hak_output_text(output, "0x");
    output_number(output, value, 16);
}

int hak_output_close(struct output *output) {
    if (output->file < 0) {
        return output->error;
    }
    output_flush(output, true);
    if (output->gzip) {
        unsigned char trailer[8];
        output_little_endian(trailer, ~output->checksum);
        output_little_endian(trailer + 4, output->length);
        output_write(output, trailer, sizeof trailer);
    }
    const int error = hak_os_file_close(output->file);
    return output->error != 0 ? output->error : error;
}
