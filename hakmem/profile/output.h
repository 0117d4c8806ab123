/* SPDX-License-Identifier: MIT */
/* A file that is written piece by piece, plain or gzip.
 *
 * Gzip is stored blocks and a checksum: a profile is small, and the library links no compressor. Nothing here allocates
 * from hakmem; the caller brings the memory of the struct. One thread. */
#ifndef HAKMEM_PROFILE_OUTPUT_H
#define HAKMEM_PROFILE_OUTPUT_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct output {
    int file;
    int error; /* errno value of the first failure; nothing is written after it */
    bool gzip;
    uint32_t checksum; /* of what came so far; CRC-32 of gzip, inverted */
    uint32_t length;   /* likewise, modulo 2^32 */
    uint32_t used;
    unsigned char bytes[32768]; /* a stored block has at most 65535 */
};

/* Creates the file, or empties it, as hak_os_file_create does. Result: 0 or an errno value, which hak_output_close also gives. */
int hak_output_open(struct output *output, const char *path, bool gzip);

void hak_output_bytes(struct output *output, const void *bytes, size_t count);
void hak_output_text(struct output *output, const char *text);
void hak_output_decimal(struct output *output, uint64_t value);
void hak_output_address(struct output *output, uint64_t value); /* 0x... */

/* 0 where everything was written, else an errno value. */
int hak_output_close(struct output *output);

#ifdef __cplusplus
}
#endif

#endif
