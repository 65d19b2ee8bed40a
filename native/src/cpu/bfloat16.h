// Whether the CPU computes in bfloat16. It does where that is faster than float32: on processors whose AVX-512
// multiplies bfloat16 (AVX512_BF16). The core refuses the dtype before every operation that computes where this does
// not hold, so that no operation asks again; kernels compile for every instruction set all the same.
#pragma once

#include <cstdint>

#include "cpu/context.h"

namespace velu::cpu {

/// Why a context with this instruction set (not AUTO) does not compute in bfloat16 and what to do instead; nullptr if
/// it does. Static storage.
const char* bfloat16_refusal(int32_t isa);

inline bool bfloat16_supported(const Context& context) {
    return context.bfloat16_refusal == nullptr;
}

}  // namespace velu::cpu
