// List-and-watch as a pure state machine: Empty -> Listing -> Watching, and back to Listing on 410. It knows
// nothing of threads, time or HTTP; the reflector feeds it inputs and carries out its outputs. After kube-rs'
// watcher.
//
//   Empty     nothing was asked yet
//   Listing   the complete state is on its way: by a streaming list (a watch that opens with all objects and
//   says with a
//             bookmark that these were all), or page by page where the server refuses or does not finish that
//   Watching  changes arrive; `resource_version` is where the next watch goes on
//
// step() is the whole protocol; its test is a table of states and inputs. Every step asks for one exchange
// with the API server at most, as its last output; without one, the watch that is open goes on. A watch that
// is open is given up where an exchange is asked for. Before an exchange that follows upon a failure there is
// a BackOff.
//
// Thread safety: pure functions on values. Errors: they are inputs, and the BackOff output carries them on.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/kube/client.h"
#include "controller/kube/json.h"

namespace convoke::runtime::watch {

// A watch that lived as long as this, or that delivered something, was well, however it ended.
inline constexpr Duration kHealthyLife = std::chrono::seconds(5);

struct Empty {};

struct Listing {
  enum class By { Stream, Pages };
  By by = By::Stream;
  std::string continue_token = {};  // of the page that was asked for
  bool replacing = false;           // the replacement of the state has begun
  // Objects that were deleted while the streaming list was under way.
  std::vector<Json> removed = {};
};

struct Watching {
  std::string resource_version;
  bool delivered = false;  // this watch has delivered something
};

struct State {
  std::variant<Empty, Listing, Watching> phase = Empty{};
  // The server does not know streaming lists: it is not asked again.
  bool streaming_refused = false;
};

// --- Inputs: what happened ---

enum class EventType { Added, Modified, Deleted, Bookmark, Error };

struct Started {};
struct PageListed {
  kube::ListPage page;
};
struct ListFailed {
  Error error;
};
struct WatchOpened {};
// No watch came about: the server answered with another status, or not at all.
struct WatchFailed {
  Error error;
};
struct EventReceived {
  EventType type;
  Json object;  // a metav1.Status for Error
};
// The body ended, regularly or with an error. Invalid means that it could not be read: going on from the same
// place would only bring the same bytes again.
struct WatchEnded {
  Duration lived;
  std::optional<Error> error = {};
};
using Input =
    std::variant<Started, PageListed, ListFailed, WatchOpened, WatchFailed, EventReceived, WatchEnded>;

// --- Outputs: what is to be done, in this order ---

struct FetchPage {
  std::string continue_token;
};  // empty: the first page
struct OpenWatch {
  std::string resource_version;  // empty with initial_events
  bool initial_events = false;
};
// The complete state: begun anew forgets what was added before.
struct BeginReplace {};
struct AddToReplace {
  Json object;
};
struct FinishReplace {
  std::string resource_version;
};
struct Apply {
  Json object;
};
struct Remove {
  Json object;
};
// Wait, longer each time until ResetBackoff: this went wrong.
struct BackOff {
  Error error;
};
struct ResetBackoff {};
using Output = std::variant<FetchPage, OpenWatch, BeginReplace, AddToReplace, FinishReplace, Apply, Remove,
                            BackOff, ResetBackoff>;

struct Step {
  State state;
  std::vector<Output> outputs;
};

// An input that cannot come in a state changes nothing.
Step step(State state, Input input);

// One line of a watch body: {"type": ..., "object": {...}}. Error Invalid if it is anything else.
Result<EventReceived> parse_event(std::string_view line);

}  // namespace convoke::runtime::watch
