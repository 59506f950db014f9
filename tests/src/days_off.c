/* Sets the wall clock of a program off by ROLLCALL_DAYS_OFF days. Loaded before the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, at);
    const char *days = getenv("ROLLCALL_DAYS_OFF");
    if (result == 0 && clock == CLOCK_REALTIME && days) at->tv_sec += atol(days) * 86400;
    return result;
}
