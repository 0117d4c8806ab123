/* SPDX-License-Identifier: MIT */
/* Warnings; the contract is in warning.h. Thread-safe, with any locks held; has no state. */
#include "hakmem/base/warning.h"

#include <string.h>
#include <unistd.h>

#include "hakmem/base/text.h"

/* The subject may come from the environment and be of any length; the remedy has to fit behind it. */
#define SUBJECT_LIMIT 96

void hak_report_warning(const char *text, const char *subject, const char *remedy) {
    hak_report_warning_to(STDERR_FILENO, text, subject, remedy);
}

void hak_report_warning_to(int descriptor, const char *text, const char *subject, const char *remedy) {
    if (descriptor < 0) return;
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: warning: ");
    if (subject != NULL) {
        const size_t length = strnlen(subject, SUBJECT_LIMIT);
        hak_text_add_foreign(&line, subject, length);
        hak_text_add(&line, subject[length] == '\0' ? "" : "...");
        hak_text_add(&line, ": ");
    }
    hak_text_add(&line, text);
    if (remedy != NULL) {
        hak_text_add(&line, "; ");
        hak_text_add(&line, remedy);
    }
    hak_text_write_line(&line, descriptor);
}
