// Marks functions that the CPU and the CUDA backend share, so that both compute from one text.
//
// Functions under this mark are also `static inline`: the CPU backend compiles them once per instruction set, and a
// symbol shared by those object files could put AVX-512 code into the baseline's path.
#pragma once

#ifdef __CUDACC__
#define VELU_HOST_DEVICE __host__ __device__
#else
#define VELU_HOST_DEVICE
#endif

#ifdef __CUDACC__
#define VELU_SHARED_INLINE VELU_HOST_DEVICE static __forceinline__
#else
#define VELU_SHARED_INLINE static inline __attribute__((always_inline))
#endif
