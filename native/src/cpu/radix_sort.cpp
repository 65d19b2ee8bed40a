// Every pass reads all keys twice and writes them once, 24 bytes per key: first each thread counts the digits of its
// share, then, knowing where each digit of each share begins, it moves its share. Limited by the 256 streams of writes:
// about 1.5 ns per key and pass on one core while the keys are in the cache, 3 from memory.
#include "cpu/radix_sort.h"

#include <cstring>
#include <utility>

namespace velu::cpu {
namespace {

constexpr int64_t kDigits = 256;

int64_t share_start(int64_t share, int64_t shares, int64_t count) {
    return count / shares * share + count % shares * share / shares;
}

}  // namespace

int64_t radix_sort_counters(const Context& context) {
    return kDigits * context.threads;
}

NumberedKey* radix_sort(const Context& context, NumberedKey* keys, NumberedKey* other, int64_t count, uint32_t varying,
                        uint32_t* counters) {
    const int64_t shares = count < 16384 ? 1 : context.threads;
    for (int shift = 0; shift < 32; shift += 8) {
        if ((varying >> shift & 0xFFu) == 0) continue;
        parallel_for(context, shares, [&](int64_t share) {
            uint32_t* const mine = counters + share * kDigits;
            std::memset(mine, 0, kDigits * sizeof *mine);
            const int64_t end = share_start(share + 1, shares, count);
            for (int64_t i = share_start(share, shares, count); i < end; ++i) ++mine[keys[i].key >> shift & 0xFFu];
        });
        uint32_t start = 0;
        for (int64_t digit = 0; digit < kDigits; ++digit) {
            for (int64_t share = 0; share < shares; ++share) {
                start += std::exchange(counters[share * kDigits + digit], start);
            }
        }
        parallel_for(context, shares, [&](int64_t share) {
            uint32_t* const next = counters + share * kDigits;
            const int64_t end = share_start(share + 1, shares, count);
            for (int64_t i = share_start(share, shares, count); i < end; ++i) {
                other[next[keys[i].key >> shift & 0xFFu]++] = keys[i];
            }
        });
        std::swap(keys, other);
    }
    return keys;
}

}  // namespace velu::cpu
