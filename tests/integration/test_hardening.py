"""The programs bear the marks of the hardening that hack/cmake/convoke.cmake asks for."""

import subprocess

import pytest
from harness.processes import BIN


def readelf(program, *arguments):
    return subprocess.run(["readelf", "--wide", *arguments, BIN / program], text=True, capture_output=True, check=True).stdout


@pytest.mark.parametrize("program", ["convoke-operator", "convoke-runner", "kubectl-convoke"])
def test_the_programs_are_hardened(program):
    headers, segments = readelf(program, "--file-header"), readelf(program, "--program-headers")
    dynamic, symbols = readelf(program, "--dynamic"), readelf(program, "--dyn-syms")
    assert "DYN (Position-Independent Executable" in headers
    assert "GNU_RELRO" in segments
    assert "BIND_NOW" in dynamic or "NOW" in dynamic.split("FLAGS_1", 1)[-1], "symbols are bound while it runs"
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    assert " RW " in stack and "RWE" not in stack, stack
    assert "RWE" not in segments, "memory that can be written and executed"
    assert "__stack_chk_fail" in symbols, "no stack protector"
    assert "_chk@" in symbols.replace("__stack_chk_fail@", ""), "no fortified functions"
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
