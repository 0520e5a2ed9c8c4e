/* The scores of patches by a library of the engine native: native_program LIBRARY < patches > scores. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "aed_native.h"

typedef size_t (*size_function)(void);
typedef void (*init_function)(void *);
typedef int (*scores_function)(void *, const int8_t *, int8_t *);

int main(int count, char **arguments)
{
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "native_program LIBRARY");
        return 2;
    }
    /* POSIX's way from an object's address to a function's. */
    size_function size;
    init_function init;
    scores_function network;
    *(void **)&size = dlsym(library, "aed_native_size");
    *(void **)&init = dlsym(library, "aed_native_init");
    *(void **)&network = dlsym(library, "aed_native_scores");
    const int32_t *version = dlsym(library, "aed_native_version");
    const struct aed_native_tensor *input = dlsym(library, "aed_native_input");
    const struct aed_native_tensor *output = dlsym(library, "aed_native_output");
    if (*version != AED_NATIVE_VERSION) {
        return 3;
    }
    size_t values = (size_t)(input->shape[1] * input->shape[2]), classes = (size_t)output->shape[1];
    void *state = malloc(size());
    int8_t *patch = malloc(values), *scores = malloc(classes);
    if (state == NULL || patch == NULL || scores == NULL) {
        return 4;
    }
    init(state);
    while (fread(patch, 1, values, stdin) == values) {
        if (network(state, patch, scores) != 0 || fwrite(scores, 1, classes, stdout) != classes) {
            return 5;
        }
    }
    return 0;
}
