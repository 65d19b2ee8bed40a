package dev.velu.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceTest {
    @Test
    void namesParseToDevicesAndBack() {
        assertThat(Device.parse("cpu")).isEqualTo(Device.cpu());
        assertThat(Device.parse("CUDA")).isEqualTo(Device.cuda(0));
        assertThat(Device.parse("cuda:3")).isEqualTo(Device.cuda(3)).hasToString("cuda:3");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "gpu", "cuda:", "cuda:-1", "cuda:99999", "cpu:1"})
    void anUnknownNameIsQuotedWithTheKnownOnes(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Device.parse(name))
                .withMessageContaining("'" + name + "'")
                .withMessageContaining("cuda:INDEX");
    }

    @Test
    void autoIsADeviceThatIsAvailable() {
        assertThat(BackendInfo.query(Device.parse("auto").kind()).available()).isTrue();
    }

    @Test
    void theCpuBackendNamesItsLibraries() {
        BackendInfo info = BackendInfo.query(Device.Kind.CPU);
        assertThat(info.available()).isTrue();
        assertThat(info.reason()).isEmpty();
        assertThat(info.libraries()).contains("oneDNN");
        assertThat(info.deviceCount()).isEqualTo(1);
    }

    @Test
    void theCpuHasCoresAndMemory() {
        DeviceInfo info = DeviceInfo.query(Device.cpu());
        assertThat(info.name()).isNotBlank();
        assertThat(info.cores()).isPositive();
        assertThat(info.memoryFree()).isPositive().isLessThanOrEqualTo(info.memoryTotal());
        assertThat(info.isa()).isNotNull().isNotEqualTo(Isa.AUTO);
    }

    @Test
    void aDeviceIndexPastTheLastIsNamed() {
        assertThatExceptionOfType(VeluException.class)
                .isThrownBy(() -> DeviceInfo.query(new Device(Device.Kind.CPU, 4)))
                .withMessageContaining("does not exist");
    }

    @Test
    void aNegativeIndexIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> Device.cuda(-1)).withMessageContaining("-1");
    }
}
