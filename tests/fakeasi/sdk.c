/* ZWO's entry points but for exposures. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sdk.h"

int ASIGetNumOfConnectedCameras(void) {
  enter();
  int n = 0;
  for (int i = 0; i < camera_count(); i++) n += world->hardware[i].plugged;
  return leave(n);
}

int ASIGetProductIDs(int *ids) {
  if (ids) ids[0] = 0x1600;
  return 1;
}

int ASICameraCheck(int vendor, int product) {
  (void)product;
  return vendor == 0x03C3;
}

static void describe(int index, CameraInfo *info) {
  const Model *model = model_of(index);
  memset(info, 0, sizeof *info);
  snprintf(info->Name, sizeof info->Name, "%s", model->name);
  info->CameraID = index + (int)knob(K_id_base);
  info->MaxWidth = model->width;
  info->MaxHeight = model->height;
  info->IsColorCam = model->colour;
  info->BayerPattern = model->bayer;
  memcpy(info->SupportedBins, model->bins, sizeof model->bins);
  int n = 0;
  info->SupportedVideoFormat[n++] = RAW8;
  if (model->colour) info->SupportedVideoFormat[n++] = RGB24;
  info->SupportedVideoFormat[n++] = RAW16;
  info->SupportedVideoFormat[n] = IMG_END;
  info->PixelSize = model->pixel_um;
  info->ST4Port = !model->cooled;
  info->IsCoolerCam = model->cooled;
  info->IsUSB3Host = 1;
  info->IsUSB3Camera = model->usb3;
  info->ElecPerADU = (float)egain_of(model, camera_at(index)->value[GAIN]);
  info->BitDepth = model->bits;
}

int ASIGetCameraProperty(CameraInfo *info, int nth) {
  enter();
  for (int i = 0, seen = 0; i < camera_count(); i++) {
    if (!world->hardware[i].plugged || seen++ < nth) continue;
    describe(i, info);
    return leave(ASI_OK);
  }
  return leave(INVALID_INDEX);
}

int ASIGetCameraPropertyByID(int id, CameraInfo *info) {
  CAMERA(id);
  describe(index, info);
  return leave(ASI_OK);
}

static int held_elsewhere(int index) {
  const Hardware *hardware = &world->hardware[index];
  if ((int)knob(K_held) == index) return 1;
  return hardware->holder && hardware->holder != getpid() && kill(hardware->holder, 0) == 0;
}

int ASIOpenCamera(int id) {
  enter();
  int index = index_of(id);
  if (index < 0) return leave(INVALID_ID);
  Hardware *hardware = &world->hardware[index];
  if (!hardware->plugged) return leave(CAMERA_REMOVED);
  count(K_n_open);
  hardware->opens++;
  if (knob(K_open_error)) return leave((int)knob(K_open_error));
  if (held_elsewhere(index)) return leave((int)knob(K_held_code));
  forget(index);
  camera_at(index)->open = 1;
  camera_at(index)->generation = hardware->generation;
  hardware->holder = getpid();
  return leave(ASI_OK);
}

int ASIInitCamera(int id) {
  CAMERA(id);
  if (knob(K_init_error)) return leave((int)knob(K_init_error));
  nap(knob(K_init_ms));
  return leave(ASI_OK);
}

int ASICloseCamera(int id) {
  enter();
  int index = index_of(id);
  if (index < 0) return leave(INVALID_ID);
  count(K_n_close);
  Camera *camera = camera_at(index);
  Hardware *hardware = &world->hardware[index];
  if (camera->open && hardware->holder == getpid()) hardware->holder = 0;
  camera->open = camera->video = 0;
  camera->status = EXP_IDLE;
  return leave(hardware->plugged ? ASI_OK : INVALID_ID);
}

int ASIGetNumOfControls(int id, int *n) {
  CAMERA(id);
  int list[CONTROLS];
  *n = control_list(model_of(index), list);
  return leave(ASI_OK);
}

int ASIGetControlCaps(int id, int nth, ControlCaps *caps) {
  CAMERA(id);
  int list[CONTROLS], n = control_list(model_of(index), list);
  if (nth < 0 || nth >= n) return leave(INVALID_CONTROL);
  control_caps(model_of(index), list[nth], caps);
  return leave(ASI_OK);
}

int ASIGetControlValue(int id, int control, long *value, int *automatic) {
  CAMERA(id);
  if (!has_control(model_of(index), control)) return leave(INVALID_CONTROL);
  if (control == TEMPERATURE && knob(K_hang_telemetry_ms)) nap(knob(K_hang_telemetry_ms));
  warm_or_cool(index);
  const Hardware *hardware = &world->hardware[index];
  *automatic = 0;
  switch (control) {
    case TEMPERATURE: *value = lround(10 * hardware->celsius); break;
    case COOLER_POWER: *value = lround(hardware->power); break;
    case COOLER_ON: *value = hardware->cooler_on; break;
    case TARGET_TEMP: *value = hardware->target; break;
    default: *value = camera->value[control];
  }
  return leave(ASI_OK);
}

int ASISetControlValue(int id, int control, long value, int automatic) {
  CAMERA(id);
  (void)automatic;
  if (!has_control(model_of(index), control)) return leave(INVALID_CONTROL);
  if (take(K_set_errors)) return leave(GENERAL_ERROR);
  ControlCaps caps;
  control_caps(model_of(index), control, &caps);
  if (!caps.IsWritable) return leave(GENERAL_ERROR);
  value = value < caps.MinValue ? caps.MinValue : value > caps.MaxValue ? caps.MaxValue : value; /* says success */
  int matters = control == GAIN || control == EXPOSURE || control == OFFSET;
  if (camera->video && matters && value != camera->value[control]) {
    if (!camera->stale) camera->before = settings_now(index);
    camera->stale = (int)knob(K_stale_frames);
  }
  warm_or_cool(index);
  if (control == COOLER_ON) world->hardware[index].cooler_on = value;
  else if (control == TARGET_TEMP) world->hardware[index].target = value;
  else camera->value[control] = value;
  return leave(ASI_OK);
}

int ASISetROIFormat(int id, int width, int height, int bin, int type) {
  CAMERA(id);
  const Model *model = model_of(index);
  if (camera->video || camera->status == EXP_WORKING) return leave(INVALID_SEQUENCE);
  int known = 0;
  for (int i = 0; i < 5 && model->bins[i]; i++) known |= model->bins[i] == bin;
  if (!known || width <= 0 || height <= 0 || width % 8 || height % 2) return leave(INVALID_SIZE);
  if ((long)width * bin > model->width || (long)height * bin > model->height) return leave(INVALID_SIZE);
  if (!model->usb3 && (long)width * height % 1024) return leave(INVALID_SIZE);
  if (type != RAW8 && type != RAW16) return leave(INVALID_IMGTYPE);
  camera->width = width;
  camera->height = height;
  camera->bin = bin;
  camera->type = type;
  camera->x = (int)(model->width / bin - width) / 2; /* re-centres, as the header says */
  camera->y = (int)(model->height / bin - height) / 2;
  return leave(ASI_OK);
}

int ASIGetROIFormat(int id, int *width, int *height, int *bin, int *type) {
  CAMERA(id);
  *width = camera->width;
  *height = camera->height;
  *bin = camera->bin;
  *type = camera->type;
  return leave(ASI_OK);
}

int ASISetStartPos(int id, int x, int y) {
  CAMERA(id);
  const Model *model = model_of(index);
  if (x < 0 || y < 0 || (long)(x + camera->width) * camera->bin > model->width ||
      (long)(y + camera->height) * camera->bin > model->height)
    return leave(OUT_OF_BOUNDARY);
  camera->x = x;
  camera->y = y;
  return leave(ASI_OK);
}

int ASIGetStartPos(int id, int *x, int *y) {
  CAMERA(id);
  *x = camera->x;
  *y = camera->y;
  return leave(ASI_OK);
}

int ASIGetID(int id, CameraId *flash) {
  CAMERA(id);
  memset(flash, 0, sizeof *flash);
  if (knob(K_flash_ids)) memcpy(flash->id, "SCOPE0", 6), flash->id[5] = (unsigned char)(48 + index);
  return leave(ASI_OK);
}

int ASISetID(int id, CameraId flash) {
  (void)flash;
  CAMERA(id);
  return leave(ASI_OK);
}

int ASIGetSerialNumber(int id, CameraId *serial) {
  CAMERA(id);
  memset(serial, 0, sizeof *serial);
  if (!knob(K_serials)) return leave(GENERAL_ERROR);
  serial->id[0] = 0x1e;
  serial->id[7] = (unsigned char)index;
  return leave(ASI_OK);
}

int ASIGetGainOffset(int id, int *high, int *unity, int *low, int *offset) {
  CAMERA(id);
  *high = 10;
  *unity = (int)lround(200 * log10(model_of(index)->egain));
  *low = (int)model_of(index)->gain_max;
  *offset = 50;
  return leave(ASI_OK);
}

char *ASIGetSDKVersion(void) { return "1, 99, 0, 0"; }

int ASIGetCameraSupportMode(int id, SupportedMode *modes) {
  CAMERA(id);
  for (int i = 0; i < 16; i++) modes->SupportedCameraMode[i] = i ? -1 : 0;
  return leave(ASI_OK);
}

int ASIGetCameraMode(int id, int *mode) {
  CAMERA(id);
  *mode = 0;
  return leave(ASI_OK);
}

int ASISetCameraMode(int id, int mode) {
  CAMERA(id);
  return leave(mode ? INVALID_MODE : ASI_OK);
}

int ASISendSoftTrigger(int id, int start) {
  (void)start;
  CAMERA(id);
  return leave(ASI_OK);
}

int ASISetTriggerOutputIOConf(int id, int pin, int high, long delay, long duration) {
  (void)pin, (void)high, (void)delay, (void)duration;
  CAMERA(id);
  return leave(ASI_OK);
}

int ASIGetTriggerOutputIOConf(int id, int pin, int *high, long *delay, long *duration) {
  (void)pin;
  CAMERA(id);
  *high = 0;
  *delay = *duration = 0;
  return leave(ASI_OK);
}

int ASIEnableDarkSubtract(int id, char *path) {
  CAMERA(id);
  return leave(path && !access(path, R_OK) ? ASI_OK : INVALID_PATH);
}

int ASIDisableDarkSubtract(int id) {
  CAMERA(id);
  return leave(ASI_OK);
}

int ASIPulseGuideOn(int id, int direction) {
  (void)direction;
  CAMERA(id);
  return leave(ASI_OK);
}

int ASIPulseGuideOff(int id, int direction) {
  (void)direction;
  CAMERA(id);
  return leave(ASI_OK);
}
