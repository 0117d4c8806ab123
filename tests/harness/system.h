/* SPDX-License-Identifier: MIT */
/* What the system says about the test's own process, and waiting for it to change. */
#ifndef TESTS_HARNESS_SYSTEM_H
#define TESTS_HARNESS_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Resident bytes of the process, from /proc/self/statm; 0 where it cannot be read. */
size_t system_resident_bytes(void);

/* Mappings of the process, the lines of /proc/self/maps; 0 where it cannot be read. */
unsigned system_mappings(void);

/* Page faults of the process so far, minor and major. */
uint64_t system_page_faults(void);

/* Calls `holds` every few milliseconds until it says true; false after `seconds`. */
bool system_wait_until(bool (*holds)(void *argument), void *argument, unsigned seconds);

#ifdef __cplusplus
}
#endif

#endif
