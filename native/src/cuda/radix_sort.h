// A stable sort of numbered keys on the device, least significant byte first.
#pragma once

#include "cuda/context.h"

namespace velu::cuda {

struct NumberedKey {
    uint32_t key;
    uint32_t number;
};

/// Counters that the sort of count keys needs.
int64_t radix_sort_counters(const Context& context, int64_t count);

/// Sorts count >= 1 keys by their lowest `bytes` bytes, an even number of them, which leaves the result in keys. other:
/// [count], scratch. Equal keys keep their order.
void radix_sort(Context& context, int bytes, NumberedKey* keys, NumberedKey* other, int64_t count, uint32_t* counters);

}  // namespace velu::cuda
