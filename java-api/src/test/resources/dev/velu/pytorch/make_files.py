"""Writes zip.pth and legacy.pth beside this file, with PyTorch 2: what PyTorchFileTest expects them to hold."""

import collections
import os

import torch

here = os.path.dirname(os.path.abspath(__file__))
base = torch.arange(12, dtype=torch.float32)
state = collections.OrderedDict()
state["plain.weight"] = (torch.arange(6, dtype=torch.float32) / 4).reshape(2, 3)
state["transposed.weight"] = torch.arange(6, dtype=torch.float32).reshape(2, 3).t()
state["half.weight"] = torch.tensor([0.5, -1.25, 65504.0], dtype=torch.float16)
state["bfloat16.weight"] = torch.tensor([1.0, -2.5, 3.140625], dtype=torch.bfloat16)
state["double.weight"] = torch.tensor([1 / 3.0, 1e-3], dtype=torch.float64)
state["shared.first"] = base[:4]
state["shared.second"] = base[4:].reshape(2, 4)[:, 1:3]
state["parameter"] = torch.nn.Parameter(torch.tensor([[7.0, 8.0]]))
state["num_batches_tracked"] = torch.tensor(42)
state["empty"] = torch.empty(0)
state._metadata = collections.OrderedDict({"": {"version": 1}})
torch.save(state, os.path.join(here, "zip.pth"))
torch.save(
    {
        "epoch": 3,
        "lr": 0.1,
        "best": None,
        "name": "n\u00e9",
        "state_dict": state,
        "optimizer": {
            "state": {0: {"step": torch.tensor(1.0)}},
            "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}],
        },
    },
    os.path.join(here, "legacy.pth"),
    _use_new_zipfile_serialization=False,
)
