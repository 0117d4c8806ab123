/* See misuse.h. */
#include "hakmem/front/misuse.h"

#include "hakmem/base/report.h"
#include "hakmem/hakmem.h"

void misuse_report(const char *operation, const void *p) {
    struct hak_owner_info info;
    if (hak_owner(p, &info)) {
        report_misuse(HAK_MISUSE_INTERIOR, operation, p, info.block_size);
    } else {
        report_misuse(HAK_MISUSE_FOREIGN, operation, p, 0);
    }
}
