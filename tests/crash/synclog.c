// Preloaded into the process under test: writes down what becomes durable, and when. A line is "<what>\t<inode>\t<size>\t<path>".
// What is not written down here, the power loss of power_loss.py takes away.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void note(const char* what, int fd) {
  const char* journal = getenv("SYNCLOG");
  struct stat st;
  if (journal == NULL || fstat(fd, &st) != 0) return;
  char link[64], path[PATH_MAX] = "", line[PATH_MAX + 96];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t got = readlink(link, path, sizeof path - 1);
  path[got > 0 ? got : 0] = '\0';
  const int size = snprintf(line, sizeof line, "%s\t%llu\t%lld\t%s\n", S_ISDIR(st.st_mode) ? "directory" : what,
                            (unsigned long long)st.st_ino, (long long)st.st_size, path);
  // The raw calls: this must not note itself. One write of a short line is whole.
  const int out = (int)syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (out >= 0) {
    if (write(out, line, (size_t)size) != size) abort();
    close(out);
  }
}

// A directory's entries are noted as they are at the moment of its fsync.
static void note_entries(int fd) {
  const char* journal = getenv("SYNCLOG");
  struct stat st;
  if (journal == NULL || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode)) return;
  char buffer[32768], dir[PATH_MAX] = "", link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t got = readlink(link, dir, sizeof dir - 1);
  dir[got > 0 ? got : 0] = '\0';
  const int own = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int out = (int)syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  long bytes;
  while (own >= 0 && out >= 0 && (bytes = syscall(SYS_getdents64, own, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < bytes;) {
      struct entry { unsigned long long ino; long long off; unsigned short reclen; unsigned char type; char name[]; }* e =
          (struct entry*)(buffer + at);
      at += e->reclen;
      if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0) continue;
      char line[2 * PATH_MAX];
      const int size = snprintf(line, sizeof line, "entry\t%llu\t0\t%s/%s\n", e->ino, dir, e->name);
      if (write(out, line, (size_t)size) != size) abort();
    }
  }
  if (own >= 0) close(own);
  if (out >= 0) close(out);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "fsync");
  // Before the call: what is written from here on is not in it.
  note("file", fd);
  note_entries(fd);
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "fdatasync");
  note("file", fd);
  note_entries(fd);
  return real(fd);
}
