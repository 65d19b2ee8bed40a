// What the emulator's files share: kernel.cpp runs grids, memory.cpp keeps device memory, runtime.cpp has the calls of
// the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace emulator {

/// Prints a message and aborts: what happened has no meaning on real hardware.
[[noreturn]] __attribute__((format(printf, 1, 2))) void die(const char* format, ...);

/// The number in an environment variable, or otherwise.
int64_t environment(const char* name, int64_t otherwise);

/// Whether an environment variable is one of two words; dies if it is neither. first is the default.
bool environment_is_second(const char* name, const char* first, const char* second);

/// Runs a grid on the calling thread. One kernel at a time.
void run_kernel(const void* kernel, dim3 grid, dim3 block, const std::function<void()>& thread);

/// The function at an address, demangled, or the address.
std::string symbol(const void* address);

/// Device memory. Callers hold the runtime's lock.
cudaError_t allocate(int device, size_t bytes, void** memory);
cudaError_t release(void* memory);
void memory_information(int device, size_t* free, size_t* total);
/// The device that an address belongs to, whether allocated or not; -1 for host memory.
int device_of(const void* memory);
/// Whether all of the bytes are within one live allocation.
bool is_allocated(const void* memory, size_t bytes);
/// Dies if something wrote beside an allocation.
void check_canaries();

/// While one exists, device memory can be accessed.
class DeviceAccess {
public:
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess&) = delete;
    DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace emulator
