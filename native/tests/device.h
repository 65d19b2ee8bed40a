// The device that the tests compute on: the environment variable VELU_TEST_DEVICE, "cpu" (default) or "cuda".
#pragma once

#include <velu/velu.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace check {

/// VELU_DEVICE_* of the device under test.
inline int32_t device() {
    static const int32_t chosen = [] {
        const char* name = std::getenv("VELU_TEST_DEVICE");
        if (name == nullptr || std::strcmp(name, "cpu") == 0) return int32_t{VELU_DEVICE_CPU};
        if (std::strcmp(name, "cuda") == 0) return int32_t{VELU_DEVICE_CUDA};
        std::fprintf(stderr, "VELU_TEST_DEVICE is \"%s\"; use cpu or cuda\n", name);
        std::exit(EXIT_FAILURE);
    }();
    return chosen;
}

inline bool on_cpu() {
    return device() == VELU_DEVICE_CPU;
}

}  // namespace check
