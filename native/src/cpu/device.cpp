#include "cpu/device.h"

#include <sched.h>
#include <unistd.h>
#include <velu/velu.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>

namespace velu::cpu {
namespace {

struct CloseFile {
    void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

/// The numbers at the start of a one-line file; the count of those read ("max" and a missing file give 0).
int read_numbers(const char* path, int64_t* first, int64_t* second = nullptr) {
    const File file(std::fopen(path, "r"));
    int64_t unused = 0;
    if (file == nullptr) return 0;
    return std::max(0, std::fscanf(file.get(), "%" SCNd64 " %" SCNd64, first, second == nullptr ? &unused : second));
}

/// Processors' worth of time per period that the control group allows, or 0 without a quota.
int64_t quota_processors() {
    int64_t quota = 0;
    int64_t period = 0;
    if (read_numbers("/sys/fs/cgroup/cpu.max", &quota, &period) < 2) {  // version 2, else version 1
        if (read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota) < 1 ||
            read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period) < 1) {
            return 0;
        }
    }
    return quota > 0 && period > 0 ? (quota + period - 1) / period : 0;
}

/// The number in the line "<key> <number>..." of a file, or -1.
int64_t read_key(const char* path, const char* key) {
    const File file(std::fopen(path, "r"));
    char line[256];
    const size_t length = std::strlen(key);
    while (file != nullptr && std::fgets(line, sizeof line, file.get()) != nullptr) {
        int64_t number = 0;
        if (std::strncmp(line, key, length) == 0 && std::sscanf(line + length, "%" SCNd64, &number) == 1) {
            return number;
        }
    }
    return -1;
}

/// A line of /proc/meminfo, which counts in KiB, or what sysconf says in pages.
int64_t meminfo(const char* key, int sysconf_pages) {
    const int64_t kilobytes = read_key("/proc/meminfo", key);
    return kilobytes >= 0 ? kilobytes * 1024 : int64_t{sysconf(sysconf_pages)} * sysconf(_SC_PAGESIZE);
}

/// The control group's limit in bytes and what of it cannot be reclaimed (cached files can); false without a limit.
bool read_memory_group(const char* limit_path, const char* usage_path, const char* stat_path, const char* inactive_key,
                       const char* active_key, int64_t* limit, int64_t* used) {
    if (read_numbers(limit_path, limit) < 1 || read_numbers(usage_path, used) < 1) return false;
    *used -= std::max<int64_t>(0, read_key(stat_path, inactive_key));
    *used -= std::max<int64_t>(0, read_key(stat_path, active_key));
    return true;
}

}  // namespace

int32_t processors() {
    int64_t count = 0;
    // Large machines need a larger set than cpu_set_t; the kernel answers EINVAL until it is large enough.
    for (int capacity = CPU_SETSIZE; count == 0 && capacity <= 1 << 20; capacity *= 4) {
        cpu_set_t* set = CPU_ALLOC(capacity);
        if (set == nullptr) break;
        const size_t bytes = CPU_ALLOC_SIZE(capacity);
        if (sched_getaffinity(0, bytes, set) == 0) count = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
    }
    if (count <= 0) count = sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t quota = quota_processors();
    if (quota > 0) count = std::min(count, quota);
    return static_cast<int32_t>(std::clamp<int64_t>(count, 1, 1024));
}

Memory memory() {
    Memory machine = {meminfo("MemTotal:", _SC_PHYS_PAGES), meminfo("MemAvailable:", _SC_AVPHYS_PAGES)};
    int64_t limit = 0;
    int64_t used = 0;
    const bool limited =
        read_memory_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
                          "inactive_file ", "active_file ", &limit, &used) ||
        read_memory_group("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                          "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file ", "total_active_file ", &limit,
                          &used);
    if (limited && limit < machine.total) {  // without a limit version 1 reports one far above the machine's memory
        machine.total = limit;
        machine.free = std::clamp<int64_t>(limit - used, 0, machine.free);
    }
    return machine;
}

int32_t best_isa() {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return avx512 ? VELU_ISA_AVX512 : avx2 ? VELU_ISA_AVX2 : VELU_ISA_BASELINE;
}

void processor_name(char* name, size_t capacity) {
    std::snprintf(name, capacity, "x86-64 processor");
    const File file(std::fopen("/proc/cpuinfo", "r"));
    char line[512];
    while (file != nullptr && std::fgets(line, sizeof line, file.get()) != nullptr) {
        if (std::strncmp(line, "model name", 10) != 0) continue;
        const char* colon = std::strchr(line, ':');
        if (colon == nullptr) continue;
        line[std::strcspn(line, "\n")] = '\0';
        std::snprintf(name, capacity, "%s", colon + 1 + (colon[1] == ' '));
        return;
    }
}

}  // namespace velu::cpu
