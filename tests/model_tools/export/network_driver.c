/* The network for ctypes. */
#include <stddef.h>

#include "aed_network.h"

size_t state_size(void);
size_t push(struct aed_network *network, const int8_t *rows, size_t count, int8_t *scores, size_t *at);
int32_t stages(void);

size_t state_size(void)
{
    return sizeof(struct aed_network);
}

int32_t stages(void)
{
    return AED_STAGES;
}

/* Pushes rows and does all work after each; returns how many scores there were, and after how many rows. */
size_t push(struct aed_network *network, const int8_t *rows, size_t count, int8_t *scores, size_t *at)
{
    size_t made = 0;
    for (size_t i = 0; i < count; ++i) {
        if (!aed_network_push_row(network, rows + i * AED_MELS)) {
            return (size_t)-1;
        }
        while (aed_network_step(network)) {
        }
        if (aed_network_scores(network, scores + made * AED_CLASSES)) {
            at[made++] = i + 1;
        }
    }
    return made;
}
