#include "cpu/bfloat16.h"

namespace velu::cpu {

const char* bfloat16_refusal(int32_t isa) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512bf16")) {
        return "this processor has no AVX512_BF16, without which the CPU does not compute in bfloat16; use float32";
    }
    if (isa != VELU_ISA_AVX512) {
        return "the CPU computes in bfloat16 with AVX-512 only, which this context's instruction set leaves unused; "
               "use float32, or VELU_ISA_AUTO";
    }
    return nullptr;
}

}  // namespace velu::cpu
