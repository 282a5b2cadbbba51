/* A disk on which one call fails: loaded into a node before the C library, whose calls it stands before.
 *
 * PARKWATT_FAULT says which: the call's name, which one of them, the error's number (0: none), what the file's path ends
 * with, of a write how many bytes reach the file all the same, and a folder if the call is to be held up: it makes the
 * file `held` there, and goes on when there is a file `go`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open64(const char *, int, ...);

/* Holds a call up. */
static void hold(const char *folder) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/held", folder);
  int made = creat(path, 0600);
  if (made >= 0) close(made);
  snprintf(path, sizeof path, "%s/go", folder);
  while (access(path, F_OK)) usleep(1000);
}

/* Returns the error with which this call fails, or 0. */
static int fault(const char *call, const char *path, long *short_len) {
  static int calls;
  const char *said = getenv("PARKWATT_FAULT");
  char name[16], end[64], folder[PATH_MAX - 8];
  int nth, error;
  *short_len = 0;
  *folder = 0;
  if (!said || sscanf(said, "%15s %d %d %63s %ld %4087s", name, &nth, &error, end, short_len, folder) < 4) return 0;
  size_t path_len = strlen(path), end_len = strlen(end);
  if (strcmp(name, call) || path_len < end_len || strcmp(path + path_len - end_len, end)) return 0;
  if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != nth) return 0;
  if (*folder) hold(folder);
  return error;
}

static int fault_of(const char *call, int fd, long *short_len) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t len = readlink(link, path, sizeof path - 1);
  path[len < 0 ? 0 : len] = 0;
  return fault(call, path, short_len);
}

#define FAIL_IF(error) do { int it = (error); if (it) { errno = it; return -1; } } while (0)

int fdatasync(int fd) {
  long none;
  FAIL_IF(fault_of("fdatasync", fd, &none));
  return NEXT(fdatasync)(fd);
}

int fsync(int fd) {
  long none;
  FAIL_IF(fault_of("fsync", fd, &none));
  return NEXT(fsync)(fd);
}

int fchmod(int fd, mode_t mode) {
  long none;
  FAIL_IF(fault_of("fchmod", fd, &none));
  return NEXT(fchmod)(fd, mode);
}

int ftruncate64(int fd, off64_t len) {
  long none;
  FAIL_IF(fault_of("ftruncate", fd, &none));
  return NEXT(ftruncate64)(fd, len);
}

ssize_t write(int fd, const void *bytes, size_t len) {
  long none;
  FAIL_IF(fault_of("write", fd, &none));
  return NEXT(write)(fd, bytes, len);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) {
  long short_len;
  int error = fault_of("pwrite", fd, &short_len);
  if (error && short_len) NEXT(pwrite64)(fd, bytes, (size_t)short_len, offset);
  FAIL_IF(error);
  return NEXT(pwrite64)(fd, bytes, len, offset);
}

int rename(const char *from, const char *to) {
  long none;
  FAIL_IF(fault("rename", from, &none));
  return NEXT(rename)(from, to);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  long none;
  FAIL_IF(fault("open", path, &none));
  return NEXT(open64)(path, flags, mode);
}
