"""kubectl as one user: what a person at a terminal would type, with its answer or its refusal."""

import json
import re
import subprocess


class Refused(AssertionError):
    """kubectl failed where success was expected."""


class Kubectl:
    """Without a namespace, documents go where they say."""

    def __init__(self, kubeconfig, program="kubectl", namespace=None):
        self.kubeconfig = str(kubeconfig)
        self.program = str(program)
        self.namespace = namespace

    def run(self, *arguments, document=None):
        """Runs kubectl; a document (an object, or several in a list) goes to its standard input."""
        namespace = ["--namespace", self.namespace] if self.namespace else []
        command = [self.program, "--kubeconfig", self.kubeconfig, *namespace, *map(str, arguments)]
        return subprocess.run(command, input=_text_of(document), text=True, capture_output=True, check=False)

    def do(self, *arguments, document=None):
        """The output of a command that must succeed."""
        done = self.run(*arguments, document=document)
        if done.returncode != 0:
            raise Refused(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def expect_refused(self, *arguments, document=None):
        """The complaint about a command that must fail."""
        done = self.run(*arguments, document=document)
        assert done.returncode != 0, f"kubectl {' '.join(map(str, arguments))} was not refused: {done.stdout}"
        return done.stderr

    def create(self, document):
        return self.do("create", "-f", "-", document=document)

    def apply(self, document, manager="test"):
        return self.do("apply", "--server-side", "--field-manager", manager, "-f", "-", document=document)

    def get(self, kind, name):
        return json.loads(self.do("get", kind, name, "-o", "json"))

    def list(self, kind, *selectors):
        return json.loads(self.do("get", kind, *selectors, "-o", "json"))["items"]

    def row(self, kind, name, wide=False):
        """The row that people see, by its headings."""
        headings, row = self.do("get", kind, name, *(["-o", "wide"] if wide else [])).splitlines()
        starts = [m.start() for m in re.finditer(r"\S+( \S+)*", headings)]
        ends = starts[1:] + [None]
        return {headings[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends)}

    def patch(self, kind, name, patch, status=False):
        return self.do(*_patch_arguments(kind, name, patch, status))

    def expect_patch_refused(self, kind, name, patch, status=False):
        return self.expect_refused(*_patch_arguments(kind, name, patch, status))


def _text_of(document):
    if document is None or isinstance(document, str):
        return document
    if isinstance(document, list):
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": document})
    return json.dumps(document)


def _patch_arguments(kind, name, patch, status):
    """A list is a JSON Patch, an object a merge patch."""
    flavour = "json" if isinstance(patch, list) else "merge"
    subresource = ["--subresource=status"] if status else []
    return ["patch", kind, name, f"--type={flavour}", *subresource, "-p", json.dumps(patch)]
