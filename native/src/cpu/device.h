// What this process may use of the machine: processors, memory, instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace velu::cpu {

/// Logical processors this process may use: its affinity, cut to the control group's quota, at least 1.
int32_t processors();

/// Bytes of memory this process may have in all, and may still get: the machine's, cut to the control group's limit.
struct Memory {
    int64_t total;
    int64_t free;
};
Memory memory();

/// The best VELU_ISA_* that this processor and kernel support.
int32_t best_isa();

/// Model name of the processor, e.g. "AMD EPYC 9654 96-Core Processor".
void processor_name(char* name, size_t capacity);

}  // namespace velu::cpu
