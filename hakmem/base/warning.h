/* SPDX-License-Identifier: MIT */
/* Warnings: something is not as it should be, and the program goes on.
 *
 * Called by options.c for what the environment says, and by any layer for limits of the machine that cost
 * speed or memory. Stands apart from misuse/ because that reads the options, and options.c warns.
 * Any thread, any lock; one write(2), no allocation, errno kept. */
#ifndef HAKMEM_BASE_WARNING_H
#define HAKMEM_BASE_WARNING_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line on standard error, "hakmem: warning: SUBJECT: TEXT; REMEDY". `text` says what is wrong,
 * `subject` with what (what cannot be printed in it becomes '?', a long one is cut), `remedy` what to do;
 * subject and remedy may be NULL. */
HAK_COLD void hak_report_warning(const char *text, const char *subject, const char *remedy);

/* The same to another descriptor, at the end of the process: there descriptor 2 may be a file of the program's own by now
 * (hak_os_error_kept). Negative: nowhere. */
HAK_COLD void hak_report_warning_to(int descriptor, const char *text, const char *subject, const char *remedy);

#ifdef __cplusplus
}
#endif

#endif
