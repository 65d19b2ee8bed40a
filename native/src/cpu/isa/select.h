// Run-time choice between the builds of one kernel file.
//
// Every isa/*.cpp is compiled once per instruction set, each time with its own VELU_ISA_NAMESPACE (baseline, avx2,
// avx512). Such a file defines a table of function pointers; its header declares the table in all namespaces and a
// function that picks one by the context's instruction set:
//
//     struct AddKernels { void (*add)(...); };
//     VELU_ISA_SELECT(AddKernels, add_kernels)     // declares avx2::add_kernels, ... and add_kernels(int32_t isa)
#pragma once

#include <velu/velu.h>

#if defined(__x86_64__)
#define VELU_ISA_SELECT(Kernels, name)                                                                     \
    namespace baseline {                                                                                   \
    extern const Kernels name;                                                                             \
    }                                                                                                      \
    namespace avx2 {                                                                                       \
    extern const Kernels name;                                                                             \
    }                                                                                                      \
    namespace avx512 {                                                                                     \
    extern const Kernels name;                                                                             \
    }                                                                                                      \
    static inline const Kernels& name(int32_t isa) {                                                       \
        return isa == VELU_ISA_AVX512 ? avx512::name : isa == VELU_ISA_AVX2 ? avx2::name : baseline::name; \
    }
#else
#define VELU_ISA_SELECT(Kernels, name)           \
    namespace baseline {                         \
    extern const Kernels name;                   \
    }                                            \
    static inline const Kernels& name(int32_t) { \
        return baseline::name;                   \
    }
#endif
