package dev.velu.trainer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.velu.device.Device;
import dev.velu.device.DeviceInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class WrongUsageTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tain                         | velu: unknown command 'tain'; did you mean 'train'?",
                "nosuchcommand                | velu: unknown command 'nosuchcommand'",
                "--bogus                      | velu: unknown option '--bogus'",
                "data lst                     | velu data: unknown command 'lst'; did you mean 'list'?",
                "data                         | velu data: no command given; use 'velu data list'"
                        + " or 'velu data fetch NAME'",
                "train --epoch 3              | velu train: unknown option '--epoch'; did you mean '--epochs'?",
                "train --batchsize=3          | velu train: unknown option '--batchsize'; did you mean '--batch-size'?",
                "train --epochs many          | velu train: --epochs: 'many' is not a whole number",
                "train --epochs 99999999999   | velu train: --epochs: '99999999999' is not a whole number",
                "train --momentum fast        | velu train: --momentum: 'fast' is not a number",
                "train --model nosuchnet      | velu train: unknown model 'nosuchnet'; use one of vgg19, vgg19_bn, resnet50,"
                        + " densenet121, mobilenet_v2, efficientnet_b3, vit_b_16",
                "train --activation blah      | velu train: unknown activation 'blah'; use one of velu, relu, relu6,"
                        + " silu, gelu, default",
                "train --data nosuchset       | velu train: unknown data set 'nosuchset'; choose shapes, mnist,"
                        + " fashion_mnist, kmnist, emnist_balanced, cifar10, cifar100, svhn, stl10, tiny_imagenet,"
                        + " eurosat, caltech101, corel1k, corel10k, folder:PATH or zip:PATH",
                "train --batch-size 0         | velu train: batch size 0 is not positive",
                "train --batch-size 2000000   | velu train: batch size 2000000 is above 1048576, the largest possible",
                "train --size 9000            | velu train: size 9000 is above 8192, the largest possible",
                "train --threads 2000         | velu train: threads 2000 is above 1024, the largest possible",
                "train --decode-threads 300   | velu train: decode threads 300 is above 256, the largest possible",
                "train --crop-padding 5000    | velu train: crop padding 5000 is above 4096, the largest possible",
                "train --recipe modren        | velu train: there is no recipe and no file 'modren'; the recipes are paper, modern; did you mean 'modern'?",
                "train --ema 1                | velu train: ema 1.0 is outside [0, 1); 0 turns it off, 0.999 is usual",
                "train --w2 exact             | velu train: unknown kind of W2 'exact'; use one of gaussian, empirical, per_channel",
                "train --freeze banana        | velu train: 'banana' is no part of resnet50 to freeze; it has conv1, layer1, layer2, layer3, layer4, fc",
                "recipes modren               | velu recipes: there is no recipe and no file 'modren'; the recipes are paper, modern; did you mean 'modern'?",
                "train --device tpu           | velu train: unknown device 'tpu'; use auto, cpu, cuda or cuda:INDEX",
                "train --precision fp16       | velu train: unknown precision 'fp16'; use one of fp32, bf16",
                "summary --precision half     | velu summary: unknown precision 'half'; use one of fp32, bf16",
                "train --momentum NaN         | velu train: momentum NaN is outside [0, 1)",
                "train --epochs 2 --lr 1 --epochs 3 | velu train: --epochs is given more than once; give it once",
                "train --output=              | velu train: --output names no folder; use . for the current one",
                "predict --checkpoint c --threads 2000 x.png | velu predict: threads 2000 is outside 0..1024; 0 uses"
                        + " all processors",
                "train --epochs -1            | velu train: epochs -1 is not positive",
                "train --lr NaN               | velu train: learning rate NaN is not a finite number of zero or more",
                "train --gamma 1              | velu train: VeLU gamma 1.0 is not in (-1, 1)",
                "train --activation relu --mu 1 | velu train: --mu is a constant of VeLU and has no effect with"
                        + " --activation relu",
                "train --sites head           | velu train: sites 'head' changes nothing: the standard head of resnet50"
                        + " has no activation; use head 'paper' or sites 'all'",
                "train --resume               | velu train: --resume needs --output DIR, the folder of the run",
                "train --batch-size 1         | velu train: layer4.0.bn2: batch_norm_forward_training: x [1, 1, 1,"
                        + " 512] has 1 values per channel, expected at least 2; give a larger batch in training",
                "summary --size -5            | velu summary: image size -5 is not positive",
                "summary --classes 0          | velu summary: number of classes 0 is not positive",
                "summary surplus              | velu summary: unexpected argument 'surplus'",
                "summary --device tpu         | velu summary: unknown device 'tpu'; use auto, cpu, cuda or cuda:INDEX",
            })
    void isOneLineWithTheValueAndOneWithTheHelp(String arguments, String expected) {
        CommandRun run = CommandRun.of(arguments.split(" "));

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().lines()).hasSize(2);
        assertThat(run.err().lines().findFirst()).hasValue(expected);
        assertThat(run.err()).contains("Try 'velu").contains("--help'.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"train", "eval --checkpoint c", "predict --checkpoint c x.png", "summary"})
    void bf16IsWrongUsageOnAProcessorThatLacksIt(String command) {
        assumeFalse(DeviceInfo.query(Device.cpu()).bfloat16(), "this processor has AVX512_BF16");
        CommandRun run = CommandRun.of((command + " --precision bf16 --device cpu").split(" "));

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.err())
                .contains("precision bf16 is not computed on device cpu", "no AVX512_BF16", "use precision fp32");
    }

    @Test
    void namesTheHelpOfTheCommandThatWasMeant() {
        assertThat(CommandRun.of("train", "--bogus").err())
                .endsWith("Try 'velu train --help'." + System.lineSeparator());
    }

    @Test
    void cannotForgeLinesOfOutput() {
        assertThat(CommandRun.of("evil\ncommand\u001b[31m").err().lines())
                .hasSize(2)
                .noneMatch(l -> l.contains("\u001b"));
    }

    @Test
    void withoutACommandIsTheHelpOnStderr() {
        CommandRun run = CommandRun.of();

        assertThat(run.status()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).contains("Commands").contains("train");
    }
}
