// Vector kernels of attention: one head of one image, blocks of queries against all keys. Only a block's scores exist,
// in scratch that stays in the cache and is float32, whatever T.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// Sizes of one head, and where its rows are: q, k and v of a token are part of a row of 3 heads head_size elements,
/// its y of one of heads head_size.
struct AttentionHead {
    int64_t tokens;
    int64_t head_size;
    int64_t qkv_stride;  // elements from one token to the next
    int64_t y_stride;
    float scale;
};

/// Queries whose scores are in scratch at once.
inline constexpr int64_t kAttentionQueries = 24;

/// Widths of rows in scratch: whole cache lines, so whole vectors. Rows of all tokens have an odd number of lines, as
/// columns are walked in them, and a power of two would put those into few sets of the cache.
struct AttentionWidths {
    int64_t tokens;
    int64_t size;

    __attribute__((always_inline)) AttentionWidths(int64_t token_count, int64_t head_size)
        : tokens(((token_count + 15) / 16 | 1) * 16), size((head_size + 15) / 16 * 16) {}
};

template <class T>
struct AttentionKernels {
    /// y of the queries first .. last - 1, and their log_sum_exp unless that is NULL. Pointers are to the head's first
    /// token. scratch, with AttentionWidths w and B = kAttentionQueries, in floats: (head_size + B) w.tokens +
    /// (tokens + 2 B) w.size.
    void (*forward)(const AttentionHead& head, const T* q, const T* k, const T* v, int64_t first, int64_t last, T* y,
                    float* log_sum_exp, float* scratch);

    /// scratch: 2 (head_size + B) w.tokens + 3 (tokens + B) w.size floats.
    void (*backward)(const AttentionHead& head, const T* q, const T* k, const T* v, const T* dy,
                     const float* log_sum_exp, T* dq, T* dk, T* dv, float* scratch);
};
VELU_ISA_SELECT(ByElement<AttentionKernels>, attention_kernels)

}  // namespace velu::cpu
