/* Lets the Nth call fail that changes a file below a folder: a write, fsync, rename or truncation.
 * Loaded before the C library; told by ROLLCALL_FAIL_UNDER (the folder), _AT (N), _HOW (eio,
 * enospc, short: half of it is written and then nothing more fits) and _TOLD (a file that gets the
 * name of the call that failed). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long taken;
static atomic_int then_full;

static int below(const char *path) {
    const char *folder = getenv("ROLLCALL_FAIL_UNDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_watched(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

static const char *how(void) {
    const char *word = getenv("ROLLCALL_FAIL_HOW");
    return word ? word : "eio";
}

/* Whether this call is the one; tells so. */
static int now(const char *call) {
    const char *at = getenv("ROLLCALL_FAIL_AT");
    if (!at || atomic_fetch_add(&taken, 1) + 1 != atol(at)) return 0;
    const char *told = getenv("ROLLCALL_FAIL_TOLD");
    int file = told ? open(told, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (file >= 0) {
        ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        if (real(file, call, strlen(call)) < 0) abort();
        close(file);
    }
    return 1;
}

static int error(void) {
    errno = strcmp(how(), "eio") == 0 ? EIO : ENOSPC;
    return -1;
}

/* 0: go on; -1: fail; 1: only half of it. */
static int verdict(const char *call, int file, size_t size) {
    if (!is_watched(file)) return 0;
    if (atomic_exchange(&then_full, 0)) return error();
    if (!now(call)) return 0;
    if (strcmp(how(), "short") != 0 || size < 2) return error();
    atomic_store(&then_full, 1);
    return 1;
}

#define REAL(name) \
    static typeof(&name) real; \
    if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(write);
    int said = verdict("write", file, size);
    return said < 0 ? -1 : real(file, bytes, said ? size / 2 : size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
    REAL(pwrite);
    int said = verdict("pwrite", file, size);
    return said < 0 ? -1 : real(file, bytes, said ? size / 2 : size, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    REAL(pwrite64);
    int said = verdict("pwrite", file, size);
    return said < 0 ? -1 : real(file, bytes, said ? size / 2 : size, at);
}

int fsync(int file) {
    REAL(fsync);
    return verdict("fsync", file, 0) < 0 ? -1 : real(file);
}

int fdatasync(int file) {
    REAL(fdatasync);
    return verdict("fdatasync", file, 0) < 0 ? -1 : real(file);
}

int ftruncate(int file, off_t size) {
    REAL(ftruncate);
    return verdict("ftruncate", file, 0) < 0 ? -1 : real(file, size);
}

int ftruncate64(int file, off64_t size) {
    REAL(ftruncate64);
    return verdict("ftruncate", file, 0) < 0 ? -1 : real(file, size);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (below(to) && now("rename")) return error();
    return real(from, to);
}
