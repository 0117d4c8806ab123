/* SPDX-License-Identifier: MIT */
/* Environments for the parser of options, read from bytes, and what must hold of each. */
#ifndef TESTS_FUZZ_OPTIONS_H
#define TESTS_FUZZ_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* Has hak_options_init read an environment of each line of the bytes, any bytes, alone, one after the other: a line that does not
 * begin with "HAKMEM_" is the rest of such a name. The options are what they were at its end. While it runs the process has no
 * environment, and hak_report_warning says nothing. One run at a time.
 * Result: NULL, or what was wrong, in static memory. */
const char *options_run(const uint8_t *bytes, size_t count);

#endif
