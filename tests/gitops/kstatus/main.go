// kstatus says what the library of that name, which Flux and many others wait with, takes Kubernetes objects for.
//
//	kubectl get cwr/release -o json | kstatus
//	kubectl get cwr --watch -o json | kstatus
//
// It reads JSON objects one after the other (lists are taken apart) and prints a line of JSON for each at once:
// {"kind", "namespace", "name", "resourceVersion", "status", "message"}. The status is Current, InProgress, Failed, Terminating
// or Unknown. What is not a Kubernetes object ends the program with status 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type line struct {
	Kind            string `json:"kind"`
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	ResourceVersion string `json:"resourceVersion"`
	Status          string `json:"status"`
	Message         string `json:"message"`
}

func describe(object *unstructured.Unstructured) (line, error) {
	result, err := status.Compute(object)
	if err != nil {
		return line{}, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return line{object.GetKind(), object.GetNamespace(), object.GetName(), object.GetResourceVersion(),
		result.Status.String(), result.Message}, nil
}

func describeAll(in io.Reader, out io.Writer) error {
	objects, lines := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var raw json.RawMessage
		if err := objects.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return err
		}
		visit := func(item *unstructured.Unstructured) error {
			described, err := describe(item)
			if err != nil {
				return err
			}
			return lines.Encode(described)
		}
		if object.IsList() {
			list, err := object.ToList()
			if err != nil {
				return err
			}
			for i := range list.Items {
				if err := visit(&list.Items[i]); err != nil {
					return err
				}
			}
		} else if err := visit(object); err != nil {
			return err
		}
	}
}

func main() {
	if err := describeAll(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}
