/* SPDX-License-Identifier: MIT */
/* operator new in a process without a C++ runtime: nobody could throw. Ends by abort. */
#include <stdint.h>

#include "tests/preload/surface/check.h"

int main(void) {
    void *(*operator_new)(size_t);
    *(void **)&operator_new = dlsym(RTLD_DEFAULT, "_Znwm");
    CHECK(operator_new != NULL && operator_new(100) != NULL);
    operator_new(SIZE_MAX);
    return check_done();
}
