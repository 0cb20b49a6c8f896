/* The public C interface of ZWO's ASI SDK, written from its documented signatures. Holds no ZWO code. */
#ifndef ABI_H
#define ABI_H

enum { /* what every call answers */
  ASI_OK, INVALID_INDEX, INVALID_ID, INVALID_CONTROL, CAMERA_CLOSED, CAMERA_REMOVED, INVALID_PATH,
  INVALID_FILEFORMAT, INVALID_SIZE, INVALID_IMGTYPE, OUT_OF_BOUNDARY, TIMED_OUT, INVALID_SEQUENCE,
  BUFFER_TOO_SMALL, VIDEO_MODE_ACTIVE, EXPOSURE_IN_PROGRESS, GENERAL_ERROR, INVALID_MODE, GPS_NOT_SUPPORTED
};

enum { RAW8, RGB24, RAW16, Y8, IMG_END = -1 };
enum { EXP_IDLE, EXP_WORKING, EXP_SUCCESS, EXP_FAILED };

enum {
  GAIN, EXPOSURE, GAMMA, WB_R, WB_B, OFFSET, BANDWIDTH, OVERCLOCK, TEMPERATURE, FLIP, AUTO_MAX_GAIN,
  AUTO_MAX_EXP, AUTO_TARGET, HARDWARE_BIN, HIGH_SPEED, COOLER_POWER, TARGET_TEMP, COOLER_ON, MONO_BIN,
  FAN_ON, PATTERN_ADJUST, DEW_HEATER, CONTROLS
};

typedef struct {
  char Name[64];
  int CameraID;
  long MaxHeight, MaxWidth;
  int IsColorCam, BayerPattern, SupportedBins[16], SupportedVideoFormat[8];
  double PixelSize;
  int MechanicalShutter, ST4Port, IsCoolerCam, IsUSB3Host, IsUSB3Camera;
  float ElecPerADU;
  int BitDepth, IsTriggerCam;
  char Unused[16];
} CameraInfo;

typedef struct {
  char Name[64], Description[128];
  long MaxValue, MinValue, DefaultValue;
  int IsAutoSupported, IsWritable, ControlType;
  char Unused[32];
} ControlCaps;

typedef struct { unsigned char id[8]; } CameraId;
typedef struct { int SupportedCameraMode[16]; } SupportedMode;

#endif
