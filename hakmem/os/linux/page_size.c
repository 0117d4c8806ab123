/* The size of a page.
 *
 * Any thread, any time: the C library has the value from the kernel before any code of the process runs. */
#include <unistd.h>

#include "hakmem/os/linux/linux.h"

size_t os_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }
