#!/usr/bin/env python3
"""Times a training step of ResNet-50 in PyTorch, the way `velu bench step` times ours: same network, batch, activation,
Wasserstein-2 term, optimizer. Needs torch only.

    pytorch_step.py --device cuda --precision bf16 --batch-size 256 --mode compile --json

What is timed: forward, loss, backward and optimizer, from the end of one step to that of the next, between CUDA events on a
GPU. The batch lies on the device, normalized and in channels_last, before the clock starts; `velu bench step` copies and
normalizes it in every step. bf16 is autocast; the composed VeLU then computes in bfloat16 wherever autocast leaves it so.
"""
import argparse
import json
import math
import sys
import time

import torch
from torch import nn

RESNET50_PARAMETERS = 25_557_032


class VeLU(nn.Module):
    """y = lambda A(x), A = x sigmoid(alpha (atan(beta1 x) + asin(clip(beta2 x)))) (1 + gamma tanh(mu s)), where s is
    1 / sqrt(mean(x^2) + eps) over the channels of a pixel; keeps the W2 distance of A to a standard normal."""

    alpha = beta1 = beta2 = gamma = 0.1
    mu = 0.9
    eps = 1e-6

    def __init__(self):
        super().__init__()
        self.lam = nn.Parameter(torch.ones(()))
        self.w2 = None

    def forward(self, x):
        s = torch.rsqrt(x.square().mean(dim=1, keepdim=True) + self.eps)
        a = 1 + self.gamma * torch.tanh(self.mu * s)
        # Just inside 1, where the derivative of asin is infinite.
        edge = 1 - torch.finfo(x.dtype).eps
        m = torch.atan(self.beta1 * x) + torch.asin(torch.clamp(self.beta2 * x, -edge, edge))
        activation = x * torch.sigmoid(self.alpha * m) * a
        if self.training:
            wide = activation.float()
            std = wide.var(unbiased=False).add(1e-12).sqrt()
            self.w2 = wide.mean().square() + (std - 1).square()
        return self.lam.to(activation.dtype) * activation


class Bottleneck(nn.Module):
    def __init__(self, inside, planes, stride, activation):
        super().__init__()
        out = 4 * planes
        self.conv1 = nn.Conv2d(inside, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.act1, self.act2, self.act3 = activation(), activation(), activation()
        self.downsample = None
        if stride != 1 or inside != out:
            self.downsample = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.act2(self.bn2(self.conv2(x)))
        return self.act3(self.bn3(self.conv3(x)) + identity)


class ResNet50(nn.Module):
    """Version 1.5, as torchvision's: the stride is the 3x3 convolution's."""

    def __init__(self, classes, activation):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), activation())
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages, inside = [], 64
        for planes, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for block in range(blocks):
                stages.append(Bottleneck(inside, planes, stride if block == 0 else 1, activation))
                inside = 4 * planes
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = self.stages(self.pool(self.stem(x)))
        return self.fc(x.mean(dim=(2, 3)))


def build(options, device):
    torch.manual_seed(1)
    activation = VeLU if options.activation == "velu" else lambda: nn.ReLU(inplace=True)
    model = ResNet50(options.classes, activation)
    trained = sum(p.numel() for name, p in model.named_parameters() if not name.endswith("lam"))
    if options.classes == 1000 and trained != RESNET50_PARAMETERS:
        raise SystemExit(f"pytorch_step.py: this is no ResNet-50: {trained} parameters, expected {RESNET50_PARAMETERS}")
    return model.to(device=device, memory_format=torch.channels_last).train()


def optimizer_of(options, model, device):
    fused = {"fused": True} if device.type == "cuda" else {}
    if options.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, **fused)
    return torch.optim.Adam(model.parameters(), lr=1e-4, **fused)


def step_of(options, model, optimizer, device):
    velus = [module for module in model.modules() if isinstance(module, VeLU)]
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16")

    def loss_of(images, labels):
        with autocast:
            logits = model(images)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        if velus:
            loss = loss + options.lambda_ot * sum(velu.w2 for velu in velus)
            for velu in velus:
                velu.w2 = None
        return loss

    if options.mode == "compile":
        loss_of = torch.compile(loss_of, mode=None if options.compile_mode == "default" else options.compile_mode)

    def step(images, labels):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(images, labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def timed(options, step, images, labels, device):
    """Milliseconds from the end of each step to that of the next, and the last loss."""
    for _ in range(options.warmup + 1):
        loss = step(images, labels)
    if device.type != "cuda":
        times = []
        for _ in range(options.steps):
            begin = time.perf_counter()
            loss = step(images, labels)
            times.append(1e3 * (time.perf_counter() - begin))
        return times, float(loss)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    step(images, labels)
    ends = [torch.cuda.Event(enable_timing=True) for _ in range(options.steps + 1)]
    ends[0].record()
    for end in ends[1:]:
        loss = step(images, labels)
        end.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in zip(ends, ends[1:])], float(loss)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["resnet50"], default="resnet50")
    parser.add_argument("--activation", choices=["velu", "relu"], default="velu")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--lambda-ot", type=float, default=0.1, help="weight of the Wasserstein-2 term of every VeLU")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--tf32", action="store_true", help="let fp32 convolutions and products use TF32")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument(
        "--compile-mode", choices=["default", "reduce-overhead", "max-autotune"], default="default",
        help="mode of torch.compile; reduce-overhead uses CUDA graphs")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.steps < 1 or options.warmup < 0 or options.batch_size < 1:
        parser.error("--steps and --batch-size are positive, --warmup is not negative")
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("pytorch_step.py: torch finds no CUDA device; use --device cpu")

    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = options.tf32
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    model = build(options, device)
    optimizer = optimizer_of(options, model, device)
    images = torch.randn(options.batch_size, 3, options.size, options.size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(options.classes, (options.batch_size,), device=device)
    times, loss = timed(options, step_of(options, model, optimizer, device), images, labels, device)

    times.sort()
    count = len(times)
    median = times[count // 2]
    on_gpu = device.type == "cuda"
    report = {
        "implementation": "pytorch " + (
            "eager" if options.mode == "eager" else "torch.compile" if options.compile_mode == "default"
            else "torch.compile " + options.compile_mode),
        "torch": torch.__version__,
        "model": options.model,
        "activation": options.activation,
        "precision": options.precision,
        "tf32": options.tf32,
        "optimizer": options.optimizer,
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "size": options.size,
        "batch_size": options.batch_size,
        "steps": count,
        "median_milliseconds": median,
        "spread": (times[count - 1 - count // 4] - times[count // 4]) / median,
        "min_milliseconds": times[0],
        "images_per_second": 1e3 * options.batch_size / median,
        "memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "memory_reserved_bytes": torch.cuda.max_memory_reserved() if on_gpu else None,
        "loss": loss if math.isfinite(loss) else None,
    }
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        for name, value in report.items():
            print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
