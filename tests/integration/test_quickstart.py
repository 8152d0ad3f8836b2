"""hack/quickstart as a newcomer runs it, in a terminal and without one; and hack/watch-run, which it shows its run with."""

import json
import os
import pathlib
import pty
import subprocess

import pytest

from harness.processes import BIN, REPO


def quickstart(directory, *arguments, **options):
    environment = {**os.environ, "CONVOKE_BIN": str(BIN), "CONVOKE_QUICKSTART_DIR": str(directory), "TERM": "xterm", "COLUMNS": "120"}
    return subprocess.Popen([REPO / "hack/quickstart", *arguments], env=environment, **options)


def assert_nothing_is_left(directory):
    assert not directory.exists()
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().decode(errors="replace")
        except OSError:
            continue  # it ended in between
        assert str(directory) not in command, command


def test_without_a_terminal_each_change_is_a_line(tmp_path):
    directory = tmp_path / "quickstart"
    child = quickstart(directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = child.communicate(timeout=600)[0]
    assert child.returncode == 0, output
    lines = output.splitlines()
    for step in ("compile", "unit-test", "measure", "package", "publish"):
        assert any(step in line and "Succeeded" in line for line in lines), output
    digest = next(line.split()[1] for line in lines if line.strip().startswith("sha256"))
    assert len(digest) == 64 and int(digest, 16), output
    assert any(line.strip().startswith("testsPassed") and int(line.split()[1]) > 0 for line in lines), output
    assert "\x1b" not in output
    assert_nothing_is_left(directory)


def test_in_a_terminal_the_tree_is_redrawn(tmp_path):
    directory = tmp_path / "quickstart"
    terminal, child_side = pty.openpty()
    child = quickstart(directory, stdin=child_side, stdout=child_side, stderr=child_side)
    os.close(child_side)
    output = b""
    try:
        while chunk := os.read(terminal, 65536):
            output += chunk
    except OSError:
        pass  # how a terminal says that nobody writes to it any more
    text = output.decode(errors="replace")
    assert child.wait(60) == 0, text
    assert "└─ publish" in text and "✔" in text and "\x1b[" in text, text
    assert_nothing_is_left(directory)


# The watch of the run, or of its Tasks; like a real one it does not end by itself.
KUBECTL = """#!/bin/sh
case "$*" in *workflowruns*) cat "$(dirname "$0")/event.json" ;; esac
exec sleep 60
"""


@pytest.mark.parametrize("phase, code", [("Succeeded", 0), ("Failed", 1), ("Cancelled", 1), ("Compensated", 1)])
def test_watching_a_run_ends_when_the_run_has(phase, code, tmp_path):
    steps = [{"name": "flight", "phase": "Compensated" if phase == "Compensated" else "Succeeded"}, {"name": "car", "phase": "Failed"}]
    run = {"metadata": {"name": "trip-1"}, "status": {"phase": phase, "reason": "StepFailed", "message": "no car", "steps": steps}}
    (tmp_path / "event.json").write_text(json.dumps({"type": "ADDED", "object": run}) + "\n")
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    done = subprocess.run([REPO / "hack/watch-run", "trip-1"], text=True, capture_output=True, check=False, timeout=30,
                          env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == code, done
    assert f"flight       {steps[0]['phase']}" in done.stdout, done.stdout
    assert ("no car" in done.stdout) == (phase != "Succeeded"), done.stdout
