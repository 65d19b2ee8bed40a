// Philox4x32-10: a counter-based generator. Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as
// 1, 2, 3", SC 2011; the constants and the test vectors are those of the authors' Random123.
//
// A block of four 32-bit words is a function of a 128-bit counter and a 64-bit key and of nothing else, so every
// element of a tensor finds its own numbers: no state, no order, the same bits on every backend and thread count.
#pragma once

#include <cstdint>

#include "host_device.h"

namespace velu {

struct PhiloxBlock {
    uint32_t word[4];
};

/// Ten rounds over the counter (c0, c1, c2, c3) with the key (k0, k1).
VELU_SHARED_INLINE PhiloxBlock philox4x32_10(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                                             uint32_t k1) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t product0 = uint64_t{0xD2511F53u} * c0;
        const uint64_t product1 = uint64_t{0xCD9E8D57u} * c2;
        c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
        c1 = static_cast<uint32_t>(product1);
        c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
        c3 = static_cast<uint32_t>(product0);
        k0 += 0x9E3779B9u;  // the golden ratio
        k1 += 0xBB67AE85u;  // sqrt(3) - 1
    }
    return {{c0, c1, c2, c3}};
}

/// High part of the second counter word: 16 bits beside bits 32..47 of the block index. A block index of 48 bits covers
/// 2^50 elements, more than an address space holds.
VELU_SHARED_INLINE uint32_t philox_second_word(uint64_t block, uint32_t upper) {
    return static_cast<uint32_t>((block >> 32) & 0xFFFFu) | (upper << 16);
}

/// Words of velu_random_fill for the elements 4 block .. 4 block + 3. attempt: 0, and 1..65535 for the redraws of a
/// truncated distribution.
VELU_SHARED_INLINE PhiloxBlock random_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t attempt) {
    return philox4x32_10(static_cast<uint32_t>(block), philox_second_word(block, attempt),
                         static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32),
                         static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

/// Words of velu_dropout for the elements 4 block .. 4 block + 3; the steps repeat after 2^48. The key differs from
/// random_block's, so that a mask never repeats the words that initialized a parameter under the same seed.
VELU_SHARED_INLINE PhiloxBlock dropout_block(uint64_t seed, uint32_t stream, uint64_t step, uint64_t block) {
    const uint64_t key = seed ^ 0x64726F706F757421u;  // "dropout!"
    return philox4x32_10(static_cast<uint32_t>(block), philox_second_word(block, static_cast<uint32_t>(step >> 32)),
                         stream, static_cast<uint32_t>(step), static_cast<uint32_t>(key),
                         static_cast<uint32_t>(key >> 32));
}

}  // namespace velu
