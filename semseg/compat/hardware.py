"""What the devices of PyTorch are fast at."""

from __future__ import annotations

import torch

from semseg.system import machine


def is_fast_at_bf16(device: torch.device) -> tuple[bool, str]:
    """Return whether a device computes faster in bfloat16 than in float32, and the reason in a few words.

    These are CPUs with AMX, CPUs of AMD with AVX-512 BF16, and GPUs from Ampere on. On an Intel Xeon with AVX-512 BF16
    and without AMX, convolutions took 1.4 to 2 times as long in bfloat16 as in float32.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        fast = torch.cuda.get_device_capability(device)[0] >= 8
        return fast, f"{name} is {'' if fast else 'not '}fast at {'it' if fast else 'bf16'}"
    if device.type != "cpu":
        return False, f"nothing is known of {device.type} and bf16"
    flags = machine.cpu_flags()
    if "amx_bf16" in flags:
        return True, "the CPU has amx_bf16"
    if "avx512_bf16" in flags:
        is_amd = machine.cpu_vendor() == "AuthenticAMD"
        return is_amd, f"the CPU has avx512_bf16{'' if is_amd else ', which is slow without amx_bf16'}"
    return False, "the CPU has neither amx_bf16 nor avx512_bf16"
