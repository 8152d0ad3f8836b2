#include "controller/runtime/watch_machine.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/errors.h"
#include "controller/kube/pruned_json.h"

namespace convoke::runtime::watch {
namespace {

using Outputs = std::vector<Output>;

std::string resource_version_of(const Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) {
    return {};
  }
  const auto version = metadata->find("resourceVersion");
  return version != metadata->end() && version->is_string() ? version->get<std::string>() : std::string();
}

bool ends_initial_events(const Json& bookmark) {
  static const Json::json_pointer kMark("/metadata/annotations/k8s.io~1initial-events-end");
  return bookmark.contains(kMark) && bookmark[kMark] == "true";
}

// An older server, or one without the feature, finds the request itself wrong.
bool refuses_streaming(const Error& error) {
  constexpr std::array kRefusals = {400, 405, 406, 415, 422, 501};
  return error.code == ErrorCode::Invalid ||
         std::find(kRefusals.begin(), kRefusals.end(), error.http_status) != kRefusals.end();
}

// Asking again from the same resourceVersion would have the same answer for ever.
bool cannot_go_on_from_there(const Error& error) {
  const auto is_too_large = [](const ErrorCause& cause) { return cause.reason == "ResourceVersionTooLarge"; };
  return error.code == ErrorCode::Expired || error.code == ErrorCode::Invalid ||
         std::any_of(error.causes.begin(), error.causes.end(), is_too_large);
}

Error why_it_ended(const WatchEnded& end) {
  if (end.error) {
    return *end.error;
  }
  return {ErrorCode::Unavailable,
          "the watch ended after " + human_duration(end.lived) + " without having delivered anything"};
}

// --- Ways into the phases ---

void list_by(State& state, Listing::By by, Outputs& outputs) {
  if (by == Listing::By::Stream) {
    outputs.push_back(OpenWatch{"", true});
  } else {
    outputs.push_back(FetchPage{""});
  }
  state.phase = Listing{by};
}

void list_anew(State& state, Outputs& outputs) {
  list_by(state, state.streaming_refused ? Listing::By::Pages : Listing::By::Stream, outputs);
}

void watch_from(State& state, std::string resource_version, Outputs& outputs) {
  outputs.push_back(OpenWatch{resource_version, false});
  state.phase = Watching{std::move(resource_version)};
}

// --- Empty ---

void on(State& state, Empty, Started, Outputs& outputs) {
  list_anew(state, outputs);
}

// --- Listing ---

void on(State& state, Listing listing, PageListed input, Outputs& outputs) {
  kube::ListPage& page = input.page;
  if (!listing.replacing) {
    outputs.push_back(BeginReplace{});
    listing.replacing = true;
  }
  for (Json& object : page.items) {
    outputs.push_back(AddToReplace{std::move(object)});
  }
  if (!page.continue_token.empty()) {
    outputs.push_back(FetchPage{page.continue_token});
    listing.continue_token = std::move(page.continue_token);
    state.phase = std::move(listing);
    return;
  }
  outputs.push_back(FinishReplace{page.resource_version});
  watch_from(state, std::move(page.resource_version), outputs);
}

void on(State& state, Listing listing, ListFailed input, Outputs& outputs) {
  const bool token_expired = input.error.code == ErrorCode::Expired;
  outputs.push_back(BackOff{std::move(input.error)});
  if (token_expired) {
    list_anew(state, outputs);
    return;
  }
  outputs.push_back(FetchPage{listing.continue_token});
  state.phase = std::move(listing);
}

void on(State& state, Listing listing, WatchOpened, Outputs& outputs) {
  outputs.push_back(BeginReplace{});
  listing.replacing = true;
  state.phase = std::move(listing);
}

void on(State& state, const Listing&, WatchFailed input, Outputs& outputs) {
  if (refuses_streaming(input.error)) {
    state.streaming_refused = true;
  } else {
    outputs.push_back(BackOff{std::move(input.error)});
  }
  list_anew(state, outputs);
}

void on(State& state, Listing listing, EventReceived event, Outputs& outputs) {
  switch (event.type) {
    case EventType::Added:
    case EventType::Modified:
      outputs.push_back(AddToReplace{std::move(event.object)});
      break;
    case EventType::Deleted:
      listing.removed.push_back(std::move(event.object));
      break;
    case EventType::Bookmark:
      if (ends_initial_events(event.object)) {
        std::string resource_version = resource_version_of(event.object);
        outputs.push_back(FinishReplace{resource_version});
        for (Json& object : listing.removed) {
          outputs.push_back(Remove{std::move(object)});
        }
        state.phase = Watching{std::move(resource_version)};
        return;
      }
      break;
    case EventType::Error:
      outputs.push_back(BackOff{kube::error_from_status(event.object)});
      list_anew(state, outputs);
      return;
  }
  state.phase = std::move(listing);
}

// The server did not get through with it. Page by page it may; the next list is tried as a stream again.
void on(State& state, const Listing&, const WatchEnded& input, Outputs& outputs) {
  outputs.push_back(BackOff{why_it_ended(input)});
  list_by(state, Listing::By::Pages, outputs);
}

// --- Watching ---

void on(State& state, Watching watching, WatchFailed input, Outputs& outputs) {
  const bool from_anew = cannot_go_on_from_there(input.error);
  outputs.push_back(BackOff{std::move(input.error)});
  if (from_anew) {
    list_anew(state, outputs);
  } else {
    watch_from(state, std::move(watching.resource_version), outputs);
  }
}

void on(State& state, Watching watching, EventReceived event, Outputs& outputs) {
  if (event.type == EventType::Error) {
    on(state, std::move(watching), WatchFailed{kube::error_from_status(event.object)}, outputs);
    return;
  }
  if (!std::exchange(watching.delivered, true)) {
    outputs.push_back(ResetBackoff{});
  }
  if (std::string resource_version = resource_version_of(event.object); !resource_version.empty()) {
    watching.resource_version = std::move(resource_version);
  }
  if (event.type == EventType::Deleted) {
    outputs.push_back(Remove{std::move(event.object)});
  } else if (event.type != EventType::Bookmark) {
    outputs.push_back(Apply{std::move(event.object)});
  }
  state.phase = std::move(watching);
}

void on(State& state, Watching watching, WatchEnded input, Outputs& outputs) {
  const bool unreadable = input.error && input.error->code == ErrorCode::Invalid;
  if (unreadable) {
    outputs.push_back(BackOff{std::move(*input.error)});
    list_anew(state, outputs);
    return;
  }
  if (watching.delivered || input.lived >= kHealthyLife) {
    outputs.push_back(ResetBackoff{});
  } else {
    outputs.push_back(BackOff{why_it_ended(input)});
  }
  watch_from(state, std::move(watching.resource_version), outputs);
}

// --- Everything else: nothing to do ---

template <class Phase, class AnyInput>
void on(State& state, Phase phase, AnyInput, Outputs&) {
  state.phase = std::move(phase);
}

}  // namespace

Step step(State state, Input input) {
  Step result{std::move(state), {}};
  auto phase = std::exchange(result.state.phase, Empty{});
  std::visit(
      [&result](auto&& in_phase, auto&& happened) {
        on(result.state, std::forward<decltype(in_phase)>(in_phase),
           std::forward<decltype(happened)>(happened), result.outputs);
      },
      std::move(phase), std::move(input));
  return result;
}

Result<EventReceived> parse_event(std::string_view line) {
  auto event = kube::parse_pruned_json(line);
  if (!event) {
    return event.error().with_context("reading a watch event");
  }
  static const std::array<std::pair<std::string_view, EventType>, 5> kTypes = {{
      {"ADDED", EventType::Added},
      {"MODIFIED", EventType::Modified},
      {"DELETED", EventType::Deleted},
      {"BOOKMARK", EventType::Bookmark},
      {"ERROR", EventType::Error},
  }};
  const auto type = event->find("type");
  const auto object = event->find("object");
  if (type != event->end() && type->is_string() && object != event->end() && object->is_object()) {
    for (const auto& [name, value] : kTypes) {
      if (type->get_ref<const std::string&>() == name) {
        return EventReceived{value, std::move(*object)};
      }
    }
  }
  return Error{ErrorCode::Invalid, "a watch event lacks a known \"type\" or an \"object\""};
}

}  // namespace convoke::runtime::watch
