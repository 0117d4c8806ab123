/* See misuse.h. */
#include "hakmem/front/misuse.h"

#include "hakmem/base/report.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/process.h"
#include "hakmem/region/large.h"
#include "hakmem/region/region.h"

void misuse_report(const char *operation, const void *p) {
    struct hak_owner_info info;
    process_begin(); /* this may be the first call of all; what to do about misuse is an option */
    if (hak_owner(p, &info)) {
        report_misuse(HAK_MISUSE_INTERIOR, operation, p, info.block_size);
    } else if (region_contains(p) || large_is_kept(p)) {
        /* All blocks that were here are free, and their memory waits for its next use. */
        report_misuse(HAK_MISUSE_DOUBLE_FREE, operation, p, 0);
    } else {
        report_misuse(HAK_MISUSE_FOREIGN, operation, p, 0);
    }
}
