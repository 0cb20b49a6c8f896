/* Models, controls and the cooler. Figures are near the public data sheets; good for tests, no calibration. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stand_in.h"

static const Model MODELS[] = {
    {"ZWO Tiny Mono", 640, 480, 0, 0, 12, 1, 1, 3.75, 4.88, 20000, 3.6, 300, 100, {1, 2, 4}},
    {"ZWO Tiny Colour", 640, 480, 1, 0, 14, 0, 1, 2.9, 3.99, 63700, 7.3, 570, 200, {1, 2}},
    {"ZWO ASI1600MM Pro", 4656, 3520, 0, 0, 12, 1, 1, 3.8, 4.88, 20000, 3.6, 300, 100, {1, 2, 3, 4}},
    {"ZWO ASI294MC Pro", 4144, 2822, 1, 0, 14, 1, 1, 4.63, 3.99, 63700, 7.3, 570, 80, {1, 2, 3, 4}},
    {"ZWO ASI120MM Mini", 1280, 960, 0, 0, 12, 0, 0, 3.75, 3.2, 13000, 6.4, 100, 40, {1, 2}},
};
#define N_MODELS (int)(sizeof MODELS / sizeof *MODELS)

static const struct { int control; const char *name; long low, high, initial; int writable; } CONTROL_LIST[] = {
    {GAIN, "Gain", 0, 0, 0, 1},
    {EXPOSURE, "Exposure", 32, 2000000000L, 10000, 1},
    {OFFSET, "Offset", 0, 0, 8, 1},
    {BANDWIDTH, "BandWidth", 40, 100, 80, 1},
    {GAMMA, "Gamma", 1, 100, 40, 1},
    {FLIP, "Flip", 0, 3, 3, 1},
    {HIGH_SPEED, "HighSpeedMode", 0, 1, 1, 1},
    {TEMPERATURE, "Temperature", -500, 1000, 20, 0},
    {HARDWARE_BIN, "HardwareBin", 0, 1, 1, 1},
    {WB_R, "WB_R", 1, 99, 52, 1},
    {WB_B, "WB_B", 1, 99, 95, 1},
    {MONO_BIN, "MonoBin", 0, 1, 1, 1},
    {COOLER_POWER, "CoolPowerPerc", 0, 100, 0, 0},
    {TARGET_TEMP, "TargetTemp", -40, 30, 0, 1},
    {COOLER_ON, "CoolerOn", 0, 1, 0, 1},
    {FAN_ON, "FanOn", 0, 1, 1, 1},
    {DEW_HEATER, "AntiDewHeater", 0, 1, 0, 1},
};
#define N_LIST (int)(sizeof CONTROL_LIST / sizeof *CONTROL_LIST)

static Camera cameras[MOST_CAMERAS];

const Model *model_of(int index) {
  static const int model_knob[MOST_CAMERAS] = {K_model0, K_model1, K_model2, K_model3};
  int model = (int)knob(model_knob[index]);
  return &MODELS[model < 0 || model >= N_MODELS ? 0 : model];
}

int camera_count(void) {
  int cameras_there = (int)knob(K_cameras);
  return cameras_there > MOST_CAMERAS ? MOST_CAMERAS : cameras_there;
}

int index_of(int id) {
  int index = id - (int)knob(K_id_base);
  return index < 0 || index >= camera_count() ? -1 : index;
}

Camera *camera_at(int index) { return &cameras[index]; }

static int suits(const Model *model, int control) {
  switch (control) {
    case WB_R: case WB_B: case MONO_BIN: return model->colour;
    case COOLER_POWER: case TARGET_TEMP: case COOLER_ON: case FAN_ON: case DEW_HEATER: return model->cooled;
    case HARDWARE_BIN: return model->cooled;
    default: return 1;
  }
}

int control_list(const Model *model, int *list) {
  int n = 0;
  for (int i = 0; i < N_LIST; i++)
    if (suits(model, CONTROL_LIST[i].control)) list[n++] = CONTROL_LIST[i].control;
  return n;
}

int has_control(const Model *model, int control) {
  int list[CONTROLS], n = control_list(model, list);
  for (int i = 0; i < n; i++)
    if (list[i] == control) return 1;
  return 0;
}

void control_caps(const Model *model, int control, ControlCaps *caps) {
  memset(caps, 0, sizeof *caps);
  for (int i = 0; i < N_LIST; i++) {
    if (CONTROL_LIST[i].control != control) continue;
    snprintf(caps->Name, sizeof caps->Name, "%s", CONTROL_LIST[i].name);
    snprintf(caps->Description, sizeof caps->Description, "%s", CONTROL_LIST[i].name);
    caps->MinValue = CONTROL_LIST[i].low;
    caps->MaxValue = control == GAIN ? model->gain_max : control == OFFSET ? model->offset_max : CONTROL_LIST[i].high;
    caps->DefaultValue = CONTROL_LIST[i].initial;
    caps->IsWritable = CONTROL_LIST[i].writable;
    caps->ControlType = control;
  }
}

void forget(int index) { /* as after power-up; controls bend the pixels until somebody puts them right */
  Camera *camera = &cameras[index];
  const Model *model = model_of(index);
  memset(camera, 0, sizeof *camera);
  for (int i = 0; i < N_LIST; i++) camera->value[CONTROL_LIST[i].control] = CONTROL_LIST[i].initial;
  camera->width = (int)model->width & ~7;
  camera->height = (int)model->height & ~1;
  camera->bin = 1;
  camera->type = RAW8;
  camera->random = 88172645463325252ULL + (uint64_t)index * 104729;
}

double egain_of(const Model *model, long gain) { return model->egain * pow(10, -gain / 200.0); }

void warm_or_cool(int index) { /* 0.4 K/s towards the target, at most 40 K below ambient */
  Hardware *hardware = &world->hardware[index];
  double passed = (now() - hardware->looked) * knob(K_time_scale), ambient = knob(K_ambient);
  hardware->looked = now();
  double coldest = ambient - 40, aim = ambient;
  if (hardware->cooler_on) aim = hardware->target > coldest ? hardware->target : coldest;
  if (aim > ambient) aim = ambient;
  double step = 0.4 * passed, away = aim - hardware->celsius;
  hardware->celsius += fabs(away) < step ? away : away > 0 ? step : -step;
  hardware->power = hardware->cooler_on ? fmin(100, fmax(0, (ambient - hardware->celsius) / 40 * 100)) : 0;
  if (hardware->cooler_on && hardware->target < coldest) hardware->power = 100;
}

Settings settings_now(int index) {
  const Camera *camera = &cameras[index];
  warm_or_cool(index);
  Settings settings = {camera->value[GAIN], camera->value[EXPOSURE], camera->value[OFFSET],
                       world->hardware[index].celsius};
  return settings;
}
