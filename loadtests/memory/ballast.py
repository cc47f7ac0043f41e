"""Holds all of a card but some bytes, so that a large card is a true small one to everybody else.

    python -m loadtests.memory.ballast --gpu 0 --leave 25769803776

Says "held" once it holds, and lets go when its standard input ends. Plain cuMemAlloc through the driver: no framework, no pool.
"""

from __future__ import annotations

import argparse
import ctypes
import sys

CHUNKS = (1 << 30, 64 << 20, 2 << 20)  # 2 MiB is the driver's own page


class CudaFailed(Exception):
    """The driver refused; the message names the call and its code."""


class Card:
    """A card through the driver API (https://docs.nvidia.com/cuda/cuda-driver-api/)."""

    def __init__(self, gpu: int) -> None:
        self._cuda = ctypes.CDLL("libcuda.so.1")
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(device), gpu)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)

    def free(self) -> int:
        """Bytes that anyone can still have."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value

    def take(self, size: int) -> None:
        self._call("cuMemAlloc_v2", ctypes.byref(ctypes.c_uint64()), ctypes.c_size_t(size))

    def _call(self, name: str, *arguments: object) -> None:
        if code := getattr(self._cuda, name)(*arguments):
            raise CudaFailed(f"{name} answered {code}")


def hold(card: Card, leave: int) -> int:
    """Takes memory until less than the smallest chunk over `leave` bytes is free; returns what is free then."""
    for chunk in CHUNKS:
        while card.free() - leave >= chunk:
            card.take(chunk)
    return card.free()


def main() -> None:
    parser = argparse.ArgumentParser(prog="ballast", description="Holds all of a card but some bytes.")
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--leave", type=int, required=True, metavar="BYTES")
    asked = parser.parse_args()
    try:
        free = hold(Card(asked.gpu), asked.leave)
    except (CudaFailed, OSError) as error:
        sys.exit(f"ballast: {error}")
    print(f"held {free}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
