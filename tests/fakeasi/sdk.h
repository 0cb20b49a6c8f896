/* How every entry point begins: find the camera, and answer for it when it is closed or out. */
#ifndef SDK_H
#define SDK_H

#include "stand_in.h"

#define OPENED(id)                                                              \
  enter();                                                                      \
  int index = index_of(id);                                                     \
  if (index < 0) return leave(INVALID_ID);                                      \
  Camera *camera = camera_at(index);                                            \
  if (!camera->open) return leave(CAMERA_CLOSED)

#define OUT(index) (!world->hardware[index].plugged || camera_at(index)->generation != world->hardware[index].generation)

#define CAMERA(id)                                                              \
  OPENED(id);                                                                   \
  if (OUT(index) && !(knob(K_removed_mode) && camera->status == EXP_WORKING))   \
    return leave((int)knob(K_removed_code));                                    \
  (void)camera

#endif
