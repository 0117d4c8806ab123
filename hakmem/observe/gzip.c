/* SPDX-License-Identifier: MIT */
/* See gzip.h. Formats: RFC 1951 (stored blocks), RFC 1952 (gzip). */
#include "hakmem/observe/gzip.h"

#include "hakmem/base/quiet.h"

static void gzip_write(struct gzip *gzip, const void *bytes, size_t count) {
    if (gzip->text.error == 0) {
        gzip->text.error = hak_quiet_write(gzip->text.file, bytes, count);
    }
}

static void gzip_little_endian(unsigned char *bytes, uint32_t value) {
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

/* The polynomial of RFC 1952, reflected, four bits at a time. */
static uint32_t gzip_checksum(uint32_t checksum, const char *bytes, size_t count) {
    static uint32_t table[16]; /* the same whoever fills it */
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t remainder = i;
        for (int bit = 0; bit < 4; bit++) {
            remainder = remainder >> 1 ^ (0xedb88320u & -(remainder & 1));
        }
        __atomic_store_n(&table[i], remainder, __ATOMIC_RELAXED);
    }
    for (size_t i = 0; i < count; i++) {
        checksum ^= (unsigned char)bytes[i];
        checksum = checksum >> 4 ^ __atomic_load_n(&table[checksum & 15], __ATOMIC_RELAXED);
        checksum = checksum >> 4 ^ __atomic_load_n(&table[checksum & 15], __ATOMIC_RELAXED);
    }
    return checksum;
}

static void gzip_write_block(struct gzip *gzip, bool last) {
    struct hak_text *text = &gzip->text;
    unsigned char header[5] = {last};
    gzip_little_endian(header + 1, (uint32_t)text->used | ~(uint32_t)text->used << 16);
    gzip_write(gzip, header, sizeof header);
    gzip->checksum = gzip_checksum(gzip->checksum, text->bytes, text->used);
    gzip->length += (uint32_t)text->used;
    gzip_write(gzip, text->bytes, text->used);
    text->used = 0;
}

static void gzip_full(struct hak_text *text) { gzip_write_block((struct gzip *)text, false); }

void hak_gzip_begin(struct gzip *gzip, int file) {
    static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    gzip->text = text_file(gzip->bytes, sizeof gzip->bytes, file);
    gzip->text.full = gzip_full;
    gzip->checksum = ~0u;
    gzip->length = 0;
    gzip_write(gzip, header, sizeof header);
}

int hak_gzip_end(struct gzip *gzip) {
    unsigned char trailer[8];
    gzip_write_block(gzip, true);
    gzip_little_endian(trailer, ~gzip->checksum);
    gzip_little_endian(trailer + 4, gzip->length);
    gzip_write(gzip, trailer, sizeof trailer);
    return gzip->text.error;
}
