// Attention's arguments, and where an image's heads lie in them.
#pragma once

#include <velu/velu.h>

#include <cuda_runtime.h>

#include <cstdint>

namespace velu::cuda {

/// One of q, k, v, y of one image and head: element d of a token is data[token * pitch + d].
template <class T>
struct HeadRows {
    T* data;
    int64_t pitch;
};

/// An image and one of its heads.
struct Head {
    int64_t image;
    int64_t head;
};

enum QkvPart { kQuery = 0, kKey = 1, kValue = 2 };

/// Of qkv or dqkv.
template <class T>
__device__ __forceinline__ HeadRows<T> qkv_rows(const velu_attention_desc& desc, T* qkv, Head of, int part) {
    const int64_t pitch = 3 * desc.heads * desc.head_size;
    return {qkv + of.image * desc.tokens * pitch + (part * desc.heads + of.head) * desc.head_size, pitch};
}

/// Of y or dy.
template <class T>
__device__ __forceinline__ HeadRows<T> y_rows(const velu_attention_desc& desc, T* y, Head of) {
    const int64_t pitch = desc.heads * desc.head_size;
    return {y + of.image * desc.tokens * pitch + of.head * desc.head_size, pitch};
}

/// First token of log_sum_exp or delta.
__device__ __forceinline__ int64_t first_token(const velu_attention_desc& desc, Head of) {
    return (of.image * desc.heads + of.head) * desc.tokens;
}

template <class T>
struct AttentionForward {
    velu_attention_desc desc;
    const T* qkv;
    T* y;
    float* log_sum_exp;  // or NULL
    bool quads;          // heads are whole quads of elements, and pointers aligned to 16 bytes
};

template <class T>
struct AttentionBackward {
    velu_attention_desc desc;
    const T* qkv;
    const T* dy;
    const float* log_sum_exp;
    const float* delta;  // as log_sum_exp: the sum of dy y over a token's elements
    T* dqkv;
    bool quads;
};

}  // namespace velu::cuda
