#include "aed_native.h"

#include "aed_native_model.h"
#include "aed_network.h"

const int32_t aed_native_version = AED_NATIVE_VERSION;
const char aed_native_model[65] = AED_NATIVE_MODEL;
const struct aed_native_tensor aed_native_input = AED_NATIVE_INPUT;
const struct aed_native_tensor aed_native_output = AED_NATIVE_OUTPUT;

size_t aed_native_size(void)
{
    return sizeof(struct aed_network);
}

void aed_native_init(void *state)
{
    aed_network_init(state);
}

int aed_native_scores(void *state, const int8_t *patch, int8_t *scores)
{
    struct aed_network *network = state;
    for (uint32_t row = 0; row < AED_PATCH_FRAMES; ++row) {
        if (!aed_network_push_row(network, patch + row * AED_MELS)) {
            return -1;
        }
        while (aed_network_step(network)) {
        }
    }
    return aed_network_scores(network, scores) ? 0 : -1;
}
