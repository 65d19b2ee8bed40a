package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code velu} in a folder of its own, with JDKs and a Maven that only say how they were called. */
class LauncherTest {
    private static final Path LAUNCHER = Path.of("..", "velu");

    @TempDir
    Path folder;

    private Path home;

    private record Outcome(int status, String output) {}

    @BeforeEach
    void makeCheckout() throws IOException {
        home = Files.createDirectories(folder.resolve("check out"));
        Files.copy(LAUNCHER, home.resolve("velu"), StandardCopyOption.COPY_ATTRIBUTES);
        Files.createDirectories(home.resolve("trainer/src/main"));
        Files.writeString(home.resolve("pom.xml"), "<project/>");
    }

    private void makeJar() throws IOException {
        Path target = Files.createDirectories(home.resolve("trainer/target"));
        Files.writeString(target.resolve("velu-trainer-1.0.jar"), "");
        Files.setLastModifiedTime(
                target.resolve("velu-trainer-1.0.jar"),
                FileTime.from(Instant.now().plusSeconds(5)));
    }

    private Path makeJdk(String name, String version) throws IOException {
        Path jdk = folder.resolve(name);
        script(jdk.resolve("bin/java"), "echo " + name + " \"$@\"");
        script(jdk.resolve("bin/javac"), "true");
        Files.writeString(jdk.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        return jdk;
    }

    private static void script(Path file, String body) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Outcome launch(Path script, Map<String, String> environment, String... args)
            throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(script.toString()).redirectErrorStream(true);
        builder.command().addAll(List.of(args));
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/bin:/bin");
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        return new Outcome(process.exitValue(), output);
    }

    private Outcome launch(Map<String, String> environment, String... args) throws IOException, InterruptedException {
        return launch(home.resolve("velu"), environment, args);
    }

    @Test
    void passesArgumentsToTheJvmAsTheyAre() throws Exception {
        makeJar();
        Path jdk = makeJdk("jdk-22", "22.0.1");

        Outcome outcome = launch(
                Map.of("VELU_JAVA_HOME", jdk.toString(), "VELU_JAVA_OPTS", "-Xmx1g -Dx=y"), "predict", "a b", "*.jpg");

        assertThat(outcome.status()).isZero();
        assertThat(outcome.output())
                .startsWith("jdk-22 --enable-native-access=ALL-UNNAMED")
                .contains(" -Xmx1g -Dx=y ")
                .endsWith("velu-trainer-1.0.jar predict a b *.jpg\n");
    }

    @Test
    void worksThroughASymbolicLink() throws Exception {
        makeJar();
        Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("check out/velu"));

        Outcome outcome =
                launch(link, Map.of("VELU_JAVA_HOME", makeJdk("jdk-25", "25").toString()), "info");

        assertThat(outcome.output()).contains(home.toRealPath() + "/trainer/target/velu-trainer-1.0.jar info");
    }

    @Test
    void passesOverAnOldJavaHomeToTheJavaOnThePath() throws Exception {
        makeJar();
        Path onPath = makeJdk("jdk-24", "24.0.2").resolve("bin");

        Outcome outcome =
                launch(Map.of("JAVA_HOME", makeJdk("jdk-17", "17.0.15").toString(), "PATH", onPath + ":/usr/bin:/bin"));

        assertThat(outcome.status()).isZero();
        assertThat(outcome.output()).startsWith("jdk-24 ");
    }

    @Test
    void takesJavaHomeBeforeOthers() throws Exception {
        makeJar();

        Outcome outcome = launch(Map.of("JAVA_HOME", makeJdk("mine", "23-ea").toString()));

        assertThat(outcome.output()).startsWith("mine ");
    }

    @Test
    void refusesAnOldJdkThatWasAskedFor() throws Exception {
        makeJar();
        Path jdk = makeJdk("jdk-17", "17.0.15");

        Outcome outcome = launch(Map.of("VELU_JAVA_HOME", jdk.toString()));

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.output()).isEqualTo("velu: VELU_JAVA_HOME=" + jdk + " is Java 17; VeLU needs 22 or newer\n");
    }

    @Test
    void buildsOnFirstUseAndSaysSoInOneLine() throws Exception {
        Path jdk = makeJdk("jdk-25", "25");
        fakeTools("touch trainer/target/velu-trainer-1.0.jar; echo noise");

        Outcome first = launch(Map.of("VELU_JAVA_HOME", jdk.toString(), "PATH", toolPath()), "info");
        Outcome second = launch(Map.of("VELU_JAVA_HOME", jdk.toString(), "PATH", toolPath()), "info");

        assertThat(first.output().lines()).hasSize(2).first().asString().startsWith("velu: building VeLU (first use");
        assertThat(second.output().lines()).hasSize(1);
    }

    @Test
    void buildsAgainOnceAfterASourceChanged() throws Exception {
        Path jdk = makeJdk("jdk-25", "25");
        Map<String, String> environment = Map.of("VELU_JAVA_HOME", jdk.toString(), "PATH", toolPath());
        makeJar();
        Files.setLastModifiedTime(
                home.resolve("trainer/target/velu-trainer-1.0.jar"),
                FileTime.from(Instant.now().minusSeconds(60)));
        Path source = Files.writeString(home.resolve("trainer/src/main/New.java"), "");
        Files.setLastModifiedTime(source, FileTime.from(Instant.now().minusSeconds(30)));
        fakeTools("true");

        assertThat(launch(environment).output()).startsWith("velu: building VeLU (its sources have changed");
        assertThat(launch(environment).output()).startsWith("jdk-25");
    }

    @Test
    void keepsTheCudaLibrariesThatAnEarlierBuildBrought() throws Exception {
        Path jdk = makeJdk("jdk-25", "25");
        Map<String, String> environment = Map.of("VELU_JAVA_HOME", jdk.toString(), "PATH", toolPath());
        fakeTools("echo \"$@\" >arguments; touch trainer/target/velu-trainer-1.0.jar");
        launch(environment);
        assertThat(home.resolve("arguments")).content().doesNotContain("cuda-redist");

        Path library = Files.createDirectories(home.resolve("trainer/target/lib"));
        Files.writeString(library.resolve("cuda-12.6-9.5-1.5.11-linux-x86_64-redist.jar"), "");
        Files.delete(home.resolve("trainer/target/velu-trainer-1.0.jar"));
        launch(environment);
        assertThat(home.resolve("arguments")).content().contains("-Pcuda-redist");
    }

    @Test
    void buildsThePeersOnlyForABenchThatComparesWithThem() throws Exception {
        Path jdk = makeJdk("jdk-25", "25");
        Map<String, String> environment = Map.of("VELU_JAVA_HOME", jdk.toString(), "PATH", toolPath());
        fakeTools("echo \"$@\" >arguments; touch trainer/target/velu-trainer-1.0.jar");

        assertThat(launch(environment, "bench", "step").output()).doesNotContain("-Dvelu.peers");
        assertThat(launch(environment, "predict", "bench", "velu").output()).doesNotContain("-Dvelu.peers");
        assertThat(launch(environment, "bench", "step", "--peer", "velu-relu").output())
                .doesNotContain("-Dvelu.peers");
        assertThat(home.resolve("arguments")).content().contains("-pl trainer -am");

        String peers = "-Dvelu.peers=" + home.toRealPath() + "/bench/peers/target";
        assertThat(launch(environment, "bench", "step", "--peer", "djl").output())
                .startsWith("velu: building VeLU (first use")
                .contains(peers);
        assertThat(home.resolve("arguments")).content().contains("-pl trainer,bench/peers -am");
        assertThat(launch(environment, "bench", "velu").output())
                .startsWith("jdk-25")
                .contains(peers);
    }

    @Test
    void aFailedBuildShowsItsOutputAndNamesTheLog() throws Exception {
        Path jdk = makeJdk("jdk-25", "25");
        fakeTools("echo '[ERROR] something broke'; exit 1");

        Outcome outcome = launch(Map.of("VELU_JAVA_HOME", jdk.toString(), "PATH", toolPath()));

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.output())
                .contains("[ERROR] something broke")
                .endsWith("velu: the build failed; its whole output is in " + home.toRealPath()
                        + "/trainer/target/velu-build.log\n");
    }

    @Test
    void namesThePackagesOfMissingTools() throws Exception {
        fakeTools("true");
        Files.delete(folder.resolve("tools/mvn"));
        Files.delete(folder.resolve("tools/cmake"));
        for (String tool : List.of("readlink", "dirname", "find", "head", "mkdir", "sed", "flock")) {
            Path real = Files.exists(Path.of("/usr/bin", tool)) ? Path.of("/usr/bin", tool) : Path.of("/bin", tool);
            script(folder.resolve("tools").resolve(tool), "exec " + real + " \"$@\"");
        }

        Outcome outcome = launch(Map.of("PATH", folder.resolve("tools").toString()));

        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.output())
                .isEqualTo("velu: cannot build, missing: mvn cmake; on Debian or Ubuntu: apt install maven cmake\n");
    }

    private void fakeTools(String maven) throws IOException {
        script(folder.resolve("tools/mvn"), maven);
        for (String tool : List.of("cmake", "c++", "make")) {
            script(folder.resolve("tools").resolve(tool), "true");
        }
    }

    private String toolPath() {
        return folder.resolve("tools") + ":/usr/bin:/bin";
    }
}
