/* Pixels: an even sky, shot and read noise, the converter, software binning, and the watermark. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stand_in.h"

#define NOISE_TABLE (1 << 16)
static float *gauss;

static uint64_t draw(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

static void make_noise(void) {
  if (gauss) return;
  gauss = malloc(NOISE_TABLE * sizeof *gauss);
  uint64_t state = 99991;
  for (int i = 0; i < NOISE_TABLE; i++) {
    double u = ((draw(&state) >> 11) + 1) * 0x1p-53, v = (draw(&state) >> 11) * 0x1p-53;
    gauss[i] = (float)(sqrt(-2 * log(u)) * cos(2 * M_PI * v));
  }
}

size_t frame_bytes(const Camera *camera) {
  return (size_t)camera->width * camera->height * (camera->type == RAW16 ? 2 : camera->type == RGB24 ? 3 : 1);
}

/* What settings the pixels were taken with, so that tests can prove a frame's facts. */
static void watermark(int index, const Settings *settings, unsigned char *out) {
  const Camera *camera = camera_at(index);
  if (camera->type != RAW16 || camera->width < 16) return;
  uint16_t mark[12] = {0xA51, (uint16_t)camera->count, (uint16_t)settings->gain,
                       (uint16_t)(settings->exposure & 0xffff), (uint16_t)(settings->exposure >> 16),
                       (uint16_t)settings->offset, (uint16_t)lround(settings->celsius * 10 + 1000),
                       (uint16_t)index, (uint16_t)camera->x, (uint16_t)camera->y, (uint16_t)camera->bin, 0xA51};
  memcpy(out, mark, sizeof mark);
}

void render(int index, const Settings *settings, double exposure_s, unsigned char *out, int torn) {
  Camera *camera = camera_at(index);
  const Model *model = model_of(index);
  make_noise();
  camera->count++;
  int bits = knob(K_shot_bits) > 0 ? (int)knob(K_shot_bits) : model->bits, shift = 16 - bits;
  float per_e = (float)(1 / egain_of(model, settings->gain) / (1 << (model->bits - bits)));
  float top = (float)((1 << bits) - 1), offset = (float)settings->offset / (1 << (model->bits - bits));
  float light_e = (float)fmin(knob(K_sky_e_s) * exposure_s, model->full_well_e);
  float sigma_e = knob(K_noise) ? (float)sqrt(light_e + model->read_noise_e * model->read_noise_e) : 0;
  int bin = camera->bin, cells = bin * bin;
  for (int y = 0; y < camera->height; y++) {
    uint64_t start = draw(&camera->random);
    unsigned at = (unsigned)start, stride = (unsigned)(start >> 32) | 1;
    for (int x = 0; x < camera->width; x++) {
      float sum = 0;
      for (int cell = 0; cell < cells; cell++, at += stride) {
        float adu = floorf((light_e + sigma_e * gauss[at & (NOISE_TABLE - 1)]) * per_e + offset + 0.5f);
        sum += adu < 0 ? 0 : adu > top ? top : adu;
      }
      unsigned value = (unsigned)(sum * (1 << shift) / cells);
      if (torn && y >= camera->height / 2) value = 0;
      size_t place = (size_t)y * camera->width + x;
      if (camera->type == RAW16) ((uint16_t *)out)[place] = (uint16_t)value;
      else out[place] = (unsigned char)(value >> 8);
    }
  }
  watermark(index, settings, out);
}
