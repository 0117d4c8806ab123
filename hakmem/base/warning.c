/* SPDX-License-Identifier: MIT */
/* Warnings; the contract is in warning.h.
 *
 * Any thread, any lock; owns nothing. */
#include "hakmem/base/warning.h"

#include <unistd.h>

#include "hakmem/base/line.h"

/* The subject may come from the environment and be of any length; the remedy has to fit behind it. */
#define SUBJECT_LIMIT 96

void hak_report_warning(const char *text, const char *subject, const char *remedy) {
    hak_report_warning_to(STDERR_FILENO, text, subject, remedy);
}

void hak_report_warning_to(int descriptor, const char *text, const char *subject, const char *remedy) {
    if (descriptor < 0) return;
    struct hak_line line;
    hak_line_start(&line);
    hak_line_text(&line, "hakmem: warning: ");
    if (subject != NULL) {
        hak_line_foreign_text(&line, subject, SUBJECT_LIMIT);
        hak_line_text(&line, ": ");
    }
    hak_line_text(&line, text);
    if (remedy != NULL) {
        hak_line_text(&line, "; ");
        hak_line_text(&line, remedy);
    }
    hak_line_write_to(&line, descriptor);
}
