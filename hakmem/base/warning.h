/* SPDX-License-Identifier: MIT */
/* Warnings: reports of problems after which the program goes on.
 *
 * Called by options.c for problems of the environment variables, and by any layer for limits of the machine that cost
 * speed or memory. Separate from misuse/, because misuse/ reads the options and options.c warns. Thread-safe, with any
 * locks held; makes one write(2), allocates nothing, keeps errno. */
#ifndef HAKMEM_BASE_WARNING_H
#define HAKMEM_BASE_WARNING_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes one line to descriptor 2, "hakmem: warning: SUBJECT: TEXT; REMEDY". `text` says what is wrong, `subject`
 * with what, `remedy` what to do; subject and remedy may be NULL. Unprintable characters of the subject become '?', and
 * a long subject is cut. Called while the process begins, or before it aborts: later descriptor 2 may be a file of the program's. */
HAK_COLD void hak_report_warning(const char *text, const char *subject, const char *remedy);

/* As hak_report_warning, but writes to `descriptor`, or nowhere if it is negative: for warnings that come later, with
 * hak_os_error_kept(). */
HAK_COLD void hak_report_warning_to(int descriptor, const char *text, const char *subject, const char *remedy);

#ifdef __cplusplus
}
#endif

#endif
