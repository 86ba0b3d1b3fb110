"""What the devices of PyTorch are fast at."""

from __future__ import annotations

import torch

from semseg.system import machine


def is_fast_at_bf16(device: torch.device) -> tuple[bool, str]:
    """Return whether a device computes faster in bfloat16 than in float32, and the reason in a few words.

    These are CPUs with AMX or AVX-512 BF16, and GPUs from Ampere on.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        fast = torch.cuda.get_device_capability(device)[0] >= 8
        return fast, f"{name} is {'' if fast else 'not '}fast at {'it' if fast else 'bf16'}"
    if device.type != "cpu":
        return False, f"nothing is known of {device.type} and bf16"
    instructions = sorted(machine.cpu_flags() & {"amx_bf16", "avx512_bf16"})
    if instructions:
        return True, f"the CPU has {instructions[0]}"
    return False, "the CPU has neither amx_bf16 nor avx512_bf16"
