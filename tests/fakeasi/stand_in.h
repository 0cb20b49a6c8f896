/* The stand-in's inside: knobs and hardware (which all processes share), and what one process has open. */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"

#define MOST_CAMERAS 4

/* Every knob with its default; counters start at 0. "next N" knobs count down as they act. */
#define KNOBS(X) \
  X(cameras, 1) X(model0, 0) X(model1, 0) X(model2, 0) X(model3, 0) \
  X(id_base, 0)          /* CameraID = index + id_base: ids may change when a camera is plugged in again */ \
  X(serials, 1)          /* 0: the cameras have no serial number */ \
  X(flash_ids, 0)        /* 1: the cameras have an id in their flash memory */ \
  X(time_scale, 1)       /* exposures and the cooler run that many times faster */ \
  X(init_ms, 1) X(readout_ms, 2) X(ambient, 20) \
  X(noise, 1) X(sky_e_s, 100) X(shot_bits, 0) /* shot_bits: bits the converter really has, 0 as stated */ \
  X(open_error, 0) X(init_error, 0) X(held, -1) X(held_code, 16) /* held: index another program holds */ \
  X(removed_code, 5)     /* what calls answer once a camera is out: 5, 2 or 4 */ \
  X(removed_mode, 0)     /* 0 that code; 1 the status stays WORKING; 2 the status is FAILED */ \
  X(unplug_at, 0)        /* monotonic clock, s: camera 0 goes */ \
  X(replug_at, 0)        /* monotonic clock, s: and comes back */ \
  X(replug_id_base, 0)   /* with this id_base */ \
  X(fail_exposures, 0) X(hang_exposures, 0) X(status_errors, 0) X(start_errors, 0) X(data_errors, 0) \
  X(set_errors, 0) X(corrupt_next, 0) X(early_next, 0) X(segv_next, 0) \
  X(stop_gives_success, 1) /* stopping leaves SUCCESS and a partial frame */ \
  X(hang_stop_ms, 0) X(hang_telemetry_ms, 0) /* the call blocks that long */ \
  X(stall_video, 0) X(drop_every, 0) X(stale_frames, 2) X(video_buffers, 2) \
  X(n_open, 0) X(n_close, 0) X(n_snap, 0) X(n_video, 0) X(max_concurrent, 0)

enum {
#define AS_ENUM(name, initial) K_##name,
  KNOBS(AS_ENUM)
#undef AS_ENUM
  N_KNOBS
};

typedef struct { /* what stays true of a camera whoever talks to it */
  int plugged, generation;
  pid_t holder;
  int opens;
  long cooler_on, target;
  double celsius, power, looked;
} Hardware;

typedef struct {
  int ready;
  double knob[N_KNOBS];
  Hardware hardware[MOST_CAMERAS];
} World;

typedef struct {
  const char *name;
  long width, height;
  int colour, bayer, bits, cooled, usb3;
  double pixel_um, egain, full_well_e, read_noise_e;
  long gain_max, offset_max;
  int bins[5];
} Model;

typedef struct { long gain, exposure, offset; double celsius; } Settings;

typedef struct { /* what this process has of a camera */
  int open, generation;
  long value[CONTROLS];
  int width, height, bin, type, x, y;
  int status, partial, hangs;
  double started, ends;
  Settings snap;
  int video, ready, dropped, stale;
  double next_frame;
  long video_count, count;
  Settings before;
  uint64_t random;
} Camera;

extern World *world;
extern pthread_mutex_t door;

double now(void);
double knob(int which);
int take(int which); /* whether a "next N" knob had one left */
void count(int which);
void nap(double ms); /* sleeps with the door open */
void enter(void);
int leave(int code);

const Model *model_of(int index);
int camera_count(void);
int index_of(int id);
Camera *camera_at(int index);
int has_control(const Model *model, int control);
int control_list(const Model *model, int *list);
void control_caps(const Model *model, int control, ControlCaps *caps);
double egain_of(const Model *model, long gain);
void forget(int index);
void warm_or_cool(int index);
Settings settings_now(int index);
size_t frame_bytes(const Camera *camera);
void render(int index, const Settings *settings, double exposure_s, unsigned char *out, int torn);

#endif
