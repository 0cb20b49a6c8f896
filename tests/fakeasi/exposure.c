/* Snaps and video. */
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

#include "sdk.h"

static double duration_s(const Camera *camera) {
  return (camera->value[EXPOSURE] * 1e-6 + knob(K_readout_ms) * 1e-3) / knob(K_time_scale);
}

int ASIStartExposure(int id, int dark) {
  (void)dark;
  CAMERA(id);
  if (take(K_start_errors)) return leave(GENERAL_ERROR);
  if (camera->video) return leave(VIDEO_MODE_ACTIVE);
  if (camera->status == EXP_WORKING) return leave(EXPOSURE_IN_PROGRESS);
  count(K_n_snap);
  camera->snap = settings_now(index);
  camera->started = now();
  camera->ends = camera->started + (take(K_early_next) ? 0.1 : 1) * duration_s(camera);
  camera->status = EXP_WORKING;
  camera->partial = 0;
  camera->hangs = take(K_hang_exposures);
  return leave(ASI_OK);
}

int ASIStopExposure(int id) {
  CAMERA(id);
  if (knob(K_hang_stop_ms)) nap(knob(K_hang_stop_ms));
  if (camera->status != EXP_WORKING) return leave(ASI_OK);
  camera->partial = (int)knob(K_stop_gives_success);
  camera->status = camera->partial ? EXP_SUCCESS : EXP_IDLE;
  camera->ends = now();
  return leave(ASI_OK);
}

int ASIGetExpStatus(int id, int *status) {
  CAMERA(id);
  if (OUT(index)) {
    *status = knob(K_removed_mode) == 1 ? EXP_WORKING : EXP_FAILED;
    return leave(ASI_OK);
  }
  if (take(K_status_errors)) return leave(GENERAL_ERROR);
  if (camera->status == EXP_WORKING && !camera->hangs && now() >= camera->ends)
    camera->status = take(K_fail_exposures) ? EXP_FAILED : EXP_SUCCESS;
  *status = camera->status;
  return leave(ASI_OK);
}

int ASIGetDataAfterExp(int id, unsigned char *buffer, long size) {
  CAMERA(id);
  if (take(K_segv_next)) raise(SIGSEGV);
  if (take(K_data_errors)) return leave(TIMED_OUT);
  if (camera->status != EXP_SUCCESS) return leave(TIMED_OUT);
  if ((size_t)size < frame_bytes(camera)) return leave(BUFFER_TOO_SMALL);
  double exposed = camera->partial ? (camera->ends - camera->started) * knob(K_time_scale) : camera->snap.exposure * 1e-6;
  render(index, &camera->snap, exposed, buffer, take(K_corrupt_next));
  camera->status = EXP_IDLE;
  return leave(ASI_OK);
}

int ASIStartVideoCapture(int id) {
  CAMERA(id);
  if (camera->status == EXP_WORKING) return leave(EXPOSURE_IN_PROGRESS);
  if (camera->video) return leave(ASI_OK);
  camera->video = 1;
  camera->video_count = camera->ready = camera->dropped = camera->stale = 0;
  camera->next_frame = now() + duration_s(camera);
  return leave(ASI_OK);
}

int ASIStopVideoCapture(int id) {
  CAMERA(id);
  camera->video = camera->dropped = 0;
  return leave(ASI_OK);
}

static void read_out(Camera *camera) { /* frames that became ready since anybody looked */
  double period = duration_s(camera) > 1e-4 ? duration_s(camera) : 1e-4;
  int every = (int)knob(K_drop_every);
  for (; now() >= camera->next_frame; camera->next_frame += period) {
    camera->video_count++;
    int lost = knob(K_stall_video) || (every && camera->video_count % every == 0);
    if (lost || camera->ready >= (int)knob(K_video_buffers)) camera->dropped++;
    else camera->ready++;
  }
}

int ASIGetVideoData(int id, unsigned char *buffer, long size, int wait_ms) {
  CAMERA(id);
  double until = now() + (wait_ms < 0 ? 1e9 : wait_ms * 1e-3);
  for (;;) {
    if (OUT(index)) return leave((int)knob(K_removed_code));
    if (!camera->video) return leave(INVALID_SEQUENCE);
    if ((size_t)size < frame_bytes(camera)) return leave(BUFFER_TOO_SMALL);
    read_out(camera);
    if (camera->ready > 0) break;
    if (now() >= until) return leave(TIMED_OUT);
    nap(0.5);
  }
  camera->ready--;
  Settings settings = settings_now(index);
  if (camera->stale > 0) {
    camera->stale--;
    settings = camera->before;
  }
  count(K_n_video);
  render(index, &settings, settings.exposure * 1e-6, buffer, take(K_corrupt_next));
  return leave(ASI_OK);
}

int ASIGetDroppedFrames(int id, int *dropped) {
  CAMERA(id);
  *dropped = camera->dropped;
  return leave(ASI_OK);
}
