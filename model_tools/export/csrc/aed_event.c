#include "aed_event.h"

struct aed_sound aed_sound_joined(struct aed_sound first, struct aed_sound then)
{
    first.rms_cdb = then.rms_cdb > first.rms_cdb ? then.rms_cdb : first.rms_cdb;
    first.peak_cdb = then.peak_cdb > first.peak_cdb ? then.peak_cdb : first.peak_cdb;
    first.clipped = first.clipped || then.clipped;
    return first;
}
