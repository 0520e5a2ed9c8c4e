/* Records what a program writes to the files of one folder, in order: for LD_PRELOAD.
 *
 * RECORD_FOLDER: the folder. RECORD_LOG: the record. RECORD_NO_SYNC=1: leave syncs out, as a disk that
 * lies about them. A record: kind, length of the name, offset, length of the data (little endian), name
 * under the folder, data. Kinds: C created, W written, T truncated (to the offset), S synced, D deleted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

static const char *under(const char *path)
{
    const char *folder = getenv("RECORD_FOLDER");
    size_t n = folder ? strlen(folder) : 0;
    if (!n || strncmp(path, folder, n) || (path[n] && path[n] != '/')) return NULL;
    return path[n] ? path + n + 1 : path + n;
}

static const char *name_of(int fd, char *path)
{
    char link[40];
    ssize_t n;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, 4095);
    if (n < 0) return NULL;
    path[n] = 0;
    return under(path);
}

static void record(char kind, const char *name, uint64_t offset, const void *data, uint32_t size)
{
    unsigned char head[15];
    uint16_t length = (uint16_t)strlen(name);
    struct iovec parts[3] = {{head, sizeof head}, {(void *)name, length}, {(void *)data, size}};
    if (log_fd < 0) log_fd = (int)syscall(SYS_openat, AT_FDCWD, getenv("RECORD_LOG"),
                                          O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    head[0] = (unsigned char)kind;
    memcpy(head + 1, &length, 2);
    memcpy(head + 3, &offset, 8);
    memcpy(head + 11, &size, 4);
    if (writev(log_fd, parts, size ? 3 : 2) < 0) abort();
}

int open64(const char *path, int flags, ...)
{
    NEXT(open64);
    const char *name = (flags & O_CREAT) ? under(path) : NULL;
    struct stat found;
    mode_t mode = 0;
    int fd, made;
    va_list rest;
    va_start(rest, flags);
    if (flags & O_CREAT) mode = va_arg(rest, mode_t);
    va_end(rest);
    pthread_mutex_lock(&lock);
    made = name && stat(path, &found) != 0;
    fd = real(path, flags, mode);
    if (made && fd >= 0) record('C', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    NEXT(pwrite64);
    char path[4096];
    const char *name = name_of(fd, path);
    ssize_t done;
    pthread_mutex_lock(&lock);
    done = real(fd, data, size, offset);
    if (name && done > 0) record('W', name, (uint64_t)offset, data, (uint32_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(write);
    char path[4096];
    const char *name = name_of(fd, path);
    ssize_t done;
    if (!name) return real(fd, data, size);
    pthread_mutex_lock(&lock);
    done = real(fd, data, size);
    if (done > 0) record('W', name, (uint64_t)(lseek(fd, 0, SEEK_CUR) - done), data, (uint32_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off64_t size)
{
    NEXT(ftruncate64);
    char path[4096];
    const char *name = name_of(fd, path);
    int done;
    pthread_mutex_lock(&lock);
    done = real(fd, size);
    if (name && !done) record('T', name, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

static int sync_with(int (*real)(int), int fd)
{
    char path[4096];
    const char *name = getenv("RECORD_NO_SYNC") ? NULL : name_of(fd, path);
    int done;
    pthread_mutex_lock(&lock);
    done = real(fd);
    if (name && !done) record('S', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd)
{
    NEXT(fsync);
    return sync_with(real, fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return sync_with(real, fd);
}

int unlink(const char *path)
{
    NEXT(unlink);
    const char *name = under(path);
    int done;
    pthread_mutex_lock(&lock);
    done = real(path);
    if (name && !done) record('D', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
