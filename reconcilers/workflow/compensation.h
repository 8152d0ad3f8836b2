// The undo of a run (a saga): the compensations of the steps that succeeded, one after the other, in the
// reverse order in which the steps succeeded. Pure.
//
// A compensation that fails is recorded, and the ones before it are undone all the same: each effect that
// still stands is one more to clean up by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/workflow/run_plan.h"

namespace convoke::workflow {

// Numbers the rows that have something to be undone by when they came to it, each after the steps that it
// waited for, so that the order outlives the children. Where states follow each other, once for each that
// ended.
void number_completions(Plan& plan);

// True if there is still something to be undone, or being undone.
bool has_to_undo(const Plan& plan);

// Starts the next compensation when the last one has ended.
void undo_next(Plan& plan);

// The compensation that a row says was made last, if it was not seen to end; the snapshot's children need not
// be known yet.
std::optional<ChildKey> recorded_undo(const RunSnapshot& snapshot, const api::StepStatus& row,
                                      std::size_t step);

// The steps that were undone, and those whose effects stand, for messages.
struct Undone {
  std::vector<std::string> undone;
  std::vector<std::string> standing;
};
Undone look_at_undone(const Plan& plan);

}  // namespace convoke::workflow
