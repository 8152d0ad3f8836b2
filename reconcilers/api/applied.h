// Who keeps an object: its creator alone, or a tool that would make it again if it were deleted. Pure, safe
// from every thread.
#pragma once

#include "controller/kube/object.h"

namespace convoke::api {

// True if Flux, Argo CD, Helm or `kubectl apply --applyset` applied the object and keeps it as its source
// says. Such an object is never deleted just because it is old: the tool would make it again, and what it
// stands for would run again, for ever.
//
// They are told by the labels and annotations that they track their objects with. One of them,
// app.kubernetes.io/instance, is in common use beside that; an object that is kept for nothing does less harm
// than work that is done for nothing.
bool is_applied_by_a_tool(const kube::ObjectMeta& meta);

}  // namespace convoke::api
