// A stable sort of numbered 32-bit keys, least significant byte first, on all threads of a context.
#pragma once

#include <cstdint>

#include "cpu/context.h"

namespace velu::cpu {

struct NumberedKey {
    uint32_t key;
    uint32_t number;
};

/// Counters that a sort on this context needs.
int64_t radix_sort_counters(const Context& context);

/// Sorts count keys and returns where they are then: keys or other, each of them [count]. Bytes that are 0 in varying
/// are the same in all keys and cost nothing. Equal keys keep their order, so the result does not depend on threads.
NumberedKey* radix_sort(const Context& context, NumberedKey* keys, NumberedKey* other, int64_t count, uint32_t varying,
                        uint32_t* counters);

}  // namespace velu::cpu
