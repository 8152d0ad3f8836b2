// List-and-watch as a pure state machine: Empty -> Listing -> Watching, and back to Listing on 410. It knows nothing of
// threads, time or HTTP; the reflector feeds it inputs and carries out its outputs. After kube-rs' watcher.
//
// See step() for the whole protocol; the states and inputs are in watch_machine.cpp's tests as one table.
// (The helper that writes this part fills in the types: State, Input, Output, step.)
#pragma once
