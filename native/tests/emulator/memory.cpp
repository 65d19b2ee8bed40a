// Device memory: one range of addresses that can be touched only while a kernel or copy runs, with canaries around
// every allocation. Addresses are not used again before all others were, so that stale pointers are noticed.
#include <sys/mman.h>

#include <algorithm>
#include <map>

#include "internal.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#endif

namespace emulator {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kCanaryBytes = 256;  // before each allocation; after it, up to the end of the next page
constexpr unsigned char kCanary = 0xCA;
constexpr unsigned char kFresh = 0xFF;  // NaN as a float, a double and a BFloat16; -1 as an integer
constexpr size_t kGranule = 512;        // by which the device's memory is counted

struct Block {
    size_t bytes;   // asked for
    size_t extent;  // whole pages around it, from kCanaryBytes before
    int device;
};

struct Memory {
    char* base = nullptr;
    size_t bytes = 0;
    size_t next = 0;                 // where to look first for a place
    size_t touched = 0;              // everything beyond has never been used
    std::map<size_t, Block> blocks;  // by offset of their first page
    int open = 0;
};
Memory memory;

int64_t capacity() {
    return environment("VELU_EMULATOR_MEMORY", int64_t{8} << 30);
}

size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

void reserve() {
    if (memory.base != nullptr) return;
    memory.bytes = size_t{256} << 30;
    void* base = mmap(nullptr, memory.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) die("cannot reserve %zu bytes of addresses for device memory", memory.bytes);
    memory.base = static_cast<char*>(base);
}

void protect(int protection) {
    if (memory.touched != 0 && mprotect(memory.base, memory.touched, protection) != 0)
        die("cannot change the protection of device memory");
}

size_t used(int device) {
    size_t bytes = 0;
    for (const auto& [offset, block] : memory.blocks) {
        if (block.device == device) bytes += round_up(block.bytes, kGranule);
    }
    return bytes;
}

/// An offset with room for extent bytes, looking from memory.next on and then from the start; -1 if there is none.
int64_t find_place(size_t extent) {
    for (const size_t start : {memory.next, size_t{0}}) {
        size_t place = start;
        auto block = memory.blocks.lower_bound(start);
        while (block != memory.blocks.end() && block->first - place < extent) {
            place = block->first + block->second.extent;
            ++block;
        }
        if (place + extent <= memory.bytes) return static_cast<int64_t>(place);
    }
    return -1;
}

__attribute__((no_sanitize("address"))) void fill(char* from, const char* to, unsigned char value) {
    for (volatile char* p = from; p < to; ++p) *p = static_cast<char>(value);
}

__attribute__((no_sanitize("address"))) const char* first_other(const char* from, const char* to, unsigned char value) {
    for (const volatile char* p = from; p < to; ++p) {
        if (static_cast<unsigned char>(*p) != value) return const_cast<const char*>(p);
    }
    return nullptr;
}

void check_block(size_t offset, const Block& block) {
    const char* first = memory.base + offset;
    const char* data = first + kCanaryBytes;
    const char* wrong = first_other(first, data, kCanary);
    if (wrong == nullptr) wrong = first_other(data + block.bytes, first + block.extent, kCanary);
    if (wrong == nullptr) return;
    die("something wrote outside %zu bytes of device memory at %p: at their byte %td", block.bytes,
        static_cast<const void*>(data), wrong - data);
}

/// The live block that holds an address, or end().
std::map<size_t, Block>::iterator find(const void* address) {
    const auto offset = static_cast<size_t>(static_cast<const char*>(address) - memory.base);
    auto block = memory.blocks.upper_bound(offset);
    if (block == memory.blocks.begin()) return memory.blocks.end();
    --block;
    return offset < block->first + block->second.extent ? block : memory.blocks.end();
}

}  // namespace

DeviceAccess::DeviceAccess() {
    if (memory.open++ == 0) protect(PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
    if (--memory.open == 0) protect(PROT_NONE);
}

cudaError_t allocate(int device, size_t bytes, void** result) {
    reserve();
    const auto total = static_cast<size_t>(capacity());
    if (bytes > total || round_up(bytes, kGranule) > total - std::min(total, used(device)))
        return cudaErrorMemoryAllocation;
    const size_t extent = round_up(kCanaryBytes + bytes + kCanaryBytes, kPage) + kPage;
    const int64_t place = find_place(extent);
    if (place < 0) return cudaErrorMemoryAllocation;
    const auto offset = static_cast<size_t>(place);
    if (offset + extent > memory.touched) {
        memory.touched = offset + extent;
        if (memory.open > 0) protect(PROT_READ | PROT_WRITE);
    }
    memory.next = offset + extent;
    memory.blocks[offset] = {bytes, extent, device};

    const DeviceAccess access;
    char* first = memory.base + offset;
    char* data = first + kCanaryBytes;
    if (bytes >= size_t{4} << 20) madvise(first, extent, MADV_HUGEPAGE);  // fewer pages to protect and to release
    ASAN_UNPOISON_MEMORY_REGION(data, bytes);
    fill(first, data, kCanary);
    std::memset(data, kFresh, bytes);
    fill(data + bytes, first + extent, kCanary);
    ASAN_POISON_MEMORY_REGION(first, kCanaryBytes);
    ASAN_POISON_MEMORY_REGION(data + bytes, extent - kCanaryBytes - bytes);
    *result = data;
    return cudaSuccess;
}

cudaError_t release(void* data) {
    const auto block = device_of(data) < 0 ? memory.blocks.end() : find(data);
    if (block == memory.blocks.end() || memory.base + block->first + kCanaryBytes != data) return cudaErrorInvalidValue;
    {
        const DeviceAccess access;
        check_block(block->first, block->second);
        // Reading it gives zeros from here on, except under AddressSanitizer, which reports it.
        madvise(memory.base + block->first, block->second.extent, MADV_DONTNEED);
        ASAN_POISON_MEMORY_REGION(memory.base + block->first, block->second.extent);
    }
    memory.blocks.erase(block);
    return cudaSuccess;
}

void memory_information(int device, size_t* free, size_t* total) {
    *total = static_cast<size_t>(capacity());
    *free = *total - std::min(*total, used(device));
}

int device_of(const void* address) {
    if (memory.base == nullptr || address < memory.base || address >= memory.base + memory.bytes) return -1;
    const auto block = find(address);
    return block == memory.blocks.end() ? 0 : block->second.device;
}

bool is_allocated(const void* address, size_t bytes) {
    const auto block = find(address);
    if (block == memory.blocks.end()) return false;
    const char* data = memory.base + block->first + kCanaryBytes;
    const auto* first = static_cast<const char*>(address);
    return first >= data && first + bytes <= data + block->second.bytes;
}

void check_canaries() {
    if (memory.blocks.empty()) return;
    const DeviceAccess access;
    for (const auto& [offset, block] : memory.blocks) check_block(offset, block);
}

}  // namespace emulator
