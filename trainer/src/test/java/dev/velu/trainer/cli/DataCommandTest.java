package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataCommandTest {
    @TempDir
    private Path dataDir;

    private void putMnist() throws IOException {
        Path folder = Files.createDirectories(dataDir.resolve("mnist"));
        for (String name : new String[] {
            "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
        }) {
            Files.write(folder.resolve(name), new byte[1]);
        }
    }

    @Test
    void listsEveryDataSetAsJson() {
        CommandRun run = CommandRun.of("data", "list", "--json");

        assertThat(run.status()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.json().findValuesAsText("name"))
                .contains("shapes", "mnist", "folder:PATH", "zip:PATH", "cifar10", "svhn", "tiny_imagenet", "corel10k");
    }

    @Test
    void listsEveryDataSetForPeople() {
        CommandRun run = CommandRun.of("data", "list");

        assertThat(run.status()).isZero();
        assertThat(run.out()).contains("shapes", "mnist", "folder:PATH", "zip:PATH", "emnist_balanced", "caltech101");
    }

    @Test
    void saysWhichAreThere() throws IOException {
        putMnist();
        CommandRun run = CommandRun.of("data", "list", "--data-dir", dataDir.toString());

        assertThat(run.out()).containsPattern("(?m)^mnist .* yes .*$").containsPattern("(?m)^kmnist .* no .*$");
    }

    @Test
    void tellsAllAboutOne() throws IOException {
        putMnist();
        JsonNode json = CommandRun.of("data", "list", "mnist", "--json", "--data-dir", dataDir.toString())
                .json();

        assertThat(json.get("title").asText()).isEqualTo("MNIST");
        assertThat(json.get("train_count").asInt()).isEqualTo(60_000);
        assertThat(json.get("downloads").get(0).get("digest").get("hex").asText())
                .isEqualTo("f68b3c2dcbeaaa9fbdd348bbdeb94873");
        assertThat(json.get("place").asText())
                .startsWith(dataDir.resolve("mnist").toString());
        assertThat(CommandRun.of("data", "list", "cifar10").out())
                .contains("cifar-10-binary.tar.gz", "https://www.cs.toronto.edu/", "SHA-256");
    }

    @Test
    void fetchingWhatIsThereDoesNothing() throws IOException {
        putMnist();
        CommandRun run = CommandRun.of("data", "fetch", "mnist", "--data-dir", dataDir.toString());

        assertThat(run.status()).isZero();
        assertThat(run.out())
                .contains("mnist is there already", dataDir.resolve("mnist").toString(), "--force");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void oneThatCannotBeFetchedDoesNotKeepTheOthersFromIt() throws IOException {
        putMnist();
        CommandRun run = CommandRun.of("data", "fetch", "corel1k", "mnist", "shapes", "--data-dir", dataDir.toString());

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err().lines()).singleElement().asString().contains("velu: corel1k has no public address");
        assertThat(run.out()).contains("mnist is there already", "shapes is drawn by this program");
    }

    @Test
    void anUnknownNameIsWrongUsage() {
        CommandRun run = CommandRun.of("data", "fetch", "cifar11");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("unknown data set 'cifar11'", "cifar10");
    }

    @Test
    void aFolderOfOnesOwnIsWrongUsage() {
        CommandRun run = CommandRun.of("data", "fetch", "folder:photos");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("'folder:photos'", "not to be fetched");
    }

    @Test
    void aMirrorThatIsNoWebAddressIsWrongUsage() {
        CommandRun run = CommandRun.of("data", "fetch", "mnist", "--mirror", "ftp://example.org");

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err()).contains("mirror 'ftp://example.org' is not a web address");
    }

    @Test
    void trainingOnASetThatIsNotThereSaysHowToFetchIt() {
        CommandRun run = CommandRun.of(
                "train", "--data", "cifar10", "--data-dir", dataDir.toString(), "--output", dataDir + "/run");

        assertThat(run.status()).isEqualTo(1);
        assertThat(run.err()).contains("velu data fetch cifar10 --data-dir " + dataDir);
    }
}
