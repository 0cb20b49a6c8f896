/* Knobs and hardware. With $FAKEASI_STATE they live in that file, and a test can turn the knobs of a child
 * process, or two processes can want the same camera. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stand_in.h"

static const struct { const char *name; double initial; } KNOB_LIST[] = {
#define AS_ROW(name, initial) {#name, initial},
    KNOBS(AS_ROW)
#undef AS_ROW
};

World *world;
pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static int inside;

double now(void) {
  struct timespec clock;
  clock_gettime(CLOCK_MONOTONIC, &clock);
  return clock.tv_sec + clock.tv_nsec * 1e-9;
}

static void fill(void) {
  for (int k = 0; k < N_KNOBS; k++) world->knob[k] = KNOB_LIST[k].initial;
  for (int i = 0; i < MOST_CAMERAS; i++) {
    Hardware fresh = {.plugged = 1, .generation = world->hardware[i].generation + 1, .celsius = 20, .looked = now()};
    world->hardware[i] = fresh;
    forget(i);
  }
  world->ready = 1;
}

static void wake(void) {
  if (world) return;
  const char *path = getenv("FAKEASI_STATE");
  int file = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
  int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  if (file >= 0 && ftruncate(file, sizeof(World))) abort();
  world = mmap(NULL, sizeof(World), PROT_READ | PROT_WRITE, flags, file, 0);
  if (world == MAP_FAILED) abort();
  if (file >= 0) close(file);
  if (!world->ready) fill();
}

static void follow_the_cable(void) {
  double t = now();
  Hardware *first = &world->hardware[0];
  if (world->knob[K_unplug_at] > 0 && t >= world->knob[K_unplug_at]) {
    world->knob[K_unplug_at] = 0;
    first->plugged = 0;
    first->generation++;
    first->holder = 0;
  }
  if (world->knob[K_replug_at] > 0 && t >= world->knob[K_replug_at]) {
    world->knob[K_replug_at] = 0;
    world->knob[K_id_base] = world->knob[K_replug_id_base];
    first->plugged = 1;
  }
}

void enter(void) {
  int callers = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_lock(&door);
  wake();
  follow_the_cable();
  if (callers > world->knob[K_max_concurrent]) world->knob[K_max_concurrent] = callers;
}

int leave(int code) {
  __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&door);
  return code;
}

void nap(double ms) {
  pthread_mutex_unlock(&door);
  usleep((useconds_t)(ms * 1000));
  pthread_mutex_lock(&door);
  follow_the_cable();
}

double knob(int which) { return world->knob[which]; }

int take(int which) {
  if (world->knob[which] < 1) return 0;
  world->knob[which] -= 1;
  return 1;
}

void count(int which) { world->knob[which] += 1; }

static int find(const char *name) {
  for (int k = 0; k < N_KNOBS; k++)
    if (!strcmp(KNOB_LIST[k].name, name)) return k;
  return -1;
}

/* ---- for tests: not part of ZWO's interface ---- */

int fakeasi_set(const char *name, double value) {
  enter();
  int k = find(name);
  if (k >= 0) world->knob[k] = value;
  return leave(k >= 0 ? 0 : -1);
}

double fakeasi_get(const char *name) {
  enter();
  int k = find(name);
  double value = k >= 0 ? world->knob[k] : -1;
  leave(0);
  return value;
}

int fakeasi_opens(int index) {
  enter();
  return leave(world->hardware[index].opens);
}

int fakeasi_plugged(int index, int plugged) {
  enter();
  Hardware *hardware = &world->hardware[index];
  if (hardware->plugged != plugged) hardware->generation++;
  if (!plugged) hardware->holder = 0;
  hardware->plugged = plugged;
  return leave(0);
}

void fakeasi_reset(void) {
  enter();
  fill();
  leave(0);
}
