"""What hack/bench prints: its numbers, for people."""


def rows(numbers):
    yield from part_rows(numbers["parts"])
    yield "ceiling: creates", f"{numbers['ceiling']['creates_per_s']:.0f} /s", ""
    yield "ceiling: status patches", f"{numbers['ceiling']['status_patches_per_s']:.0f} /s", ""
    for name, part in (("one-step runs", "one_step"), ("chains of 10", "chain_10"), ("fan-outs of 100", "fan_out_100")):
        yield from shape_rows(name, numbers[part])
    for name, value in numbers["locks"].items():
        yield (f"lock grants, {name} lock{'s' * (name != 'one')}", f"{value['grants_per_s']:.0f} /s",
               f"hand-over p50 {value['hand_over_p50_ms']:.0f} ms, p99 {value['hand_over_p99_ms']:.0f} ms; "
               f"{value['operator_writes_per_grant']:.1f} writes of the operator each")
    yield ("ten subtasks: create to all assigned", f"{numbers['ten_subtasks']['create_to_all_assigned_p50_ms']:.0f} ms",
           f"p50; p99 {numbers['ten_subtasks']['create_to_all_assigned_p99_ms']:.0f} ms")
    for name, value in numbers["memory_mb"].items():
        yield f"memory, {name.replace('_', ' ')}", f"{value:.1f} MB", "resident"
    for name, value in numbers["startup_s"].items():
        yield f"start-up, {name.replace('_', ' ')}", f"{value:.2f} s", "to ready"
    for name, value in numbers["size"].items():
        yield from size_rows(f"one run, {name.replace('_', ' ')}", value)


def part_rows(parts):
    for tasks in parts["decision_us"]["CapabilityMatch"]:
        others = ", ".join(f"{kind} {value[tasks]:.1f}" for kind, value in parts["decision_us"].items() if kind != "CapabilityMatch")
        yield (f"decision at {int(tasks.removeprefix('tasks_')):,} Tasks", f"{parts['decision_us']['CapabilityMatch'][tasks]:.1f} us",
               f"CapabilityMatch, 1,000 agents; {others}")
    for name, value in parts["cel_us"].items():
        yield f"CEL: {name.removeprefix('evaluate/').replace('_', ' ')}", f"{value:.2f} us", ""


def writes(by):
    return ", ".join(f"{writer} {value:.2f}" for writer, value in by.items())


def shape_rows(name, of):
    yield name, f"{of['runs_per_s']:.1f} /s", f"{100 * of['ratio_to_ceiling']:.0f} % of the ceiling for as many writes"
    yield f"{name}: writes per step", f"{of['writes_per_step']:.2f}", writes(of["writes_per_step_by"])
    yield f"{name}: operator CPU per step", f"{of['operator_cpu_ms_per_step']:.2f} ms", ""
    for load, paced in of.get("paced", {}).items():
        for what in ("assigned", "finished"):
            yield (f"{name}: create to {what}", f"{paced[f'create_to_{what}_p99_ms']:.0f} ms",
                   f"p99 at {load.replace('_', ' ')}; p50 {paced[f'create_to_{what}_p50_ms']:.0f} ms")


def size_rows(name, of):
    yield name, f"{of['took_s']:.0f} s", f"{100 * of['ratio_to_ceiling']:.0f} % of the ceiling for as many writes"
    yield f"{name}: writes per step", f"{of['writes_per_step']:.2f}", writes(of["writes_per_step_by"])
    yield f"{name}: status writes of the run", f"{of['run_status_writes']}", ""
    yield f"{name}: operator", f"{of['peak_mb']:.0f} MB", f"at its peak; {of['operator_cpu_ms_per_step']:.1f} ms of CPU per step"
    for kind, size in of["largest_object_bytes"].items():
        yield f"{name}: largest {kind}", f"{size / 1024:.0f} KiB", ""
    yield (f"{name}: deletion", f"{of['deletion']['took_s']:.0f} s",
           f"until all Tasks are gone; {of['deletion']['operator_requests']:.0f} requests of the operator")


def table(numbers):
    lines = list(rows(numbers))
    width = max(len(name) for name, _, _ in lines)
    return "\n".join(f"{name:<{width}}  {value:>12}  {note}".rstrip() for name, value, note in lines)
