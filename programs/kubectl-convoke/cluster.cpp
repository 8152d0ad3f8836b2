#include "programs/kubectl-convoke/cluster.h"

#include <algorithm>
#include <array>

#include "controller/base/similar_word.h"
#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

const kube::ResourceType kEvent{"events.k8s.io", "v1", "events", "Event", true};
const kube::ResourceType kSelfReview{"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview",
                                     false};

struct KindWords {
  const kube::ResourceType* type;
  std::vector<std::string> words;  // the first is the one that we write
};

const std::vector<KindWords>& kind_words() {
  static const std::vector<KindWords> kWords = {
      {&api::kWorkflowRun, {"run", "cwr", "workflowrun", "workflowruns", "runs"}},
      {&api::kTask, {"task", "ctk", "tasks"}},
      {&api::kWorkflow, {"workflow", "cwf", "workflows"}},
      {&api::kAgent, {"agent", "cag", "agents"}}};
  return kWords;
}

std::string resource(const kube::ResourceType& type) {
  return type.group.empty() ? type.plural : type.plural + "." + type.group;
}

const kube::ResourceType* type_of_word(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto& [type, words] : kind_words()) {
    if (word == resource(*type) || std::find(words.begin(), words.end(), word) != words.end()) return type;
  }
  return nullptr;
}

std::string described(const std::vector<const kube::ResourceType*>& kinds) {
  std::string text;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == kinds.size() ? " or " : ", ") + kinds[i]->kind;
  }
  return text;
}

std::string time_of_event(const Json& event) {
  for (const char* field : {"/series/lastObservedTime", "/eventTime", "/deprecatedLastTimestamp"}) {
    if (auto time = text_at(event, field); !time.empty()) return time;
  }
  return text_at(event, "/metadata/creationTimestamp");
}

// 404 for the path itself, not for an object: the resource is not served.
bool is_unknown_resource(const Error& error) {
  return error.code == ErrorCode::NotFound &&
         (error.reason.empty() ||
          error.message.find("could not find the requested resource") != std::string::npos);
}

}  // namespace

const char* word_for(const kube::ResourceType& type) {
  for (const auto& [known, words] : kind_words()) {
    if (*known == type) return words.front().c_str();
  }
  return type.kind.c_str();
}

Result<Json> Cluster::get(const kube::ResourceType& type, const std::string& name) const {
  auto object = client_.get(type, {namespace_, name});
  if (object) return object;
  const Error error = explained(object.error(), "get", type);
  return error.code == ErrorCode::NotFound ? with_similar_names(error, {&type}, name) : error;
}

Result<std::optional<Json>> Cluster::find(const kube::ResourceType& type, const std::string& name) const {
  auto object = client_.get(type, {namespace_, name});
  if (object) return std::optional(std::move(*object));
  if (object.error().code == ErrorCode::NotFound && !is_unknown_resource(object.error())) {
    return std::optional<Json>();
  }
  return explained(object.error(), "get", type);
}

Result<std::vector<Json>> Cluster::list(const kube::ResourceType& type,
                                        const kube::ListOptions& options) const {
  std::vector<Json> objects;
  kube::ListOptions next = options;
  do {
    auto page = client_.list(type, namespace_, next);
    if (!page) return explained(page.error(), "list", type);
    std::move(page->items.begin(), page->items.end(), std::back_inserter(objects));
    next.continue_token = page->continue_token;
  } while (!next.continue_token.empty());
  return objects;
}

Result<std::vector<Json>> Cluster::list_labelled(const kube::ResourceType& type, const std::string& label,
                                                 const std::string& value) const {
  kube::ListOptions options;
  options.label_selector = label + "=" + value;
  return list(type, options);
}

Result<Found> Cluster::find_any(const std::vector<const kube::ResourceType*>& kinds,
                                const std::string& text) const {
  std::vector<const kube::ResourceType*> wanted = kinds;
  std::string name = text;
  if (const auto slash = text.find('/'); slash != std::string::npos) {
    const auto* type = type_of_word(text.substr(0, slash));
    if (type == nullptr || std::find(kinds.begin(), kinds.end(), type) == kinds.end()) {
      return Error{ErrorCode::Invalid,
                   "\"" + text.substr(0, slash) + "\" is no kind for this; name a " + described(kinds)};
    }
    wanted = {type};
    name = text.substr(slash + 1);
  }
  if (name.empty()) return Error{ErrorCode::Invalid, "name a " + described(wanted)};
  for (const auto* type : wanted) {
    auto object = find(*type, name);
    if (!object) return object.error();
    if (*object) return Found{type, std::move(**object)};
  }
  return with_similar_names({ErrorCode::NotFound, "there is no " + described(wanted) + " \"" + name +
                                                      "\" in namespace " + namespace_},
                            wanted, name);
}

Result<Json> Cluster::create(const kube::ResourceType& type, const Json& object) const {
  auto created = client_.create(type, object);
  if (!created) return explained(created.error(), "create", type);
  return created;
}

Result<Json> Cluster::change(const kube::ResourceType& type, const Json& object, Json operations) const {
  const Json same = {{"op", "test"}, {"path", "/metadata/uid"}, {"value", uid_of(object)}};
  operations.insert(operations.begin(), same);
  kube::PatchOptions options;
  options.type = kube::PatchType::Json;
  auto changed =
      client_.patch(type, {text_at(object, "/metadata/namespace"), name_of(object)}, operations, options);
  if (!changed) return explained(changed.error(), "patch", type);
  return changed;
}

Result<std::string> Cluster::user_name() const {
  // The name is not kept: the review is answered, and stored nowhere.
  const auto review = client_.create(kSelfReview, {{"metadata", {{"name", "who-am-i"}}}});
  if (!review) return review.error().with_context("asking the API server for your user name");
  auto name = text_at(*review, "/status/userInfo/username");
  if (name.empty()) return Error{ErrorCode::Internal, "the API server did not say what your user name is"};
  return name;
}

Result<std::vector<Json>> Cluster::events_of(const Json& object) const {
  kube::ListOptions options;
  options.field_selector = "regarding.uid=" + uid_of(object);
  auto events = Cluster(client_, text_at(object, "/metadata/namespace")).list(kEvent, options);
  if (!events) return events;
  std::erase_if(*events,
                [&](const Json& event) { return text_at(event, "/regarding/uid") != uid_of(object); });
  std::stable_sort(events->begin(), events->end(),
                   [](const Json& a, const Json& b) { return time_of_event(a) < time_of_event(b); });
  for (auto& event : *events) event["lastTime"] = time_of_event(event);
  return events;
}

Error Cluster::explained(const Error& error, const char* verb, const kube::ResourceType& type) const {
  Error result = error;
  const std::string where = namespace_.empty() ? "in all namespaces" : "in namespace " + namespace_;
  constexpr std::string_view kDenied = "denied request: ";
  const auto denied = error.message.find(kDenied);
  if (error.code == ErrorCode::Forbidden && denied != std::string::npos) {
    result.message = "a policy of the cluster refuses this: " + error.message.substr(denied + kDenied.size());
  } else if (error.code == ErrorCode::Forbidden) {
    result.message = "you need the right to " + std::string(verb) + " " + resource(type) + " " + where +
                     " (RBAC verb \"" + verb + "\"): " + error.message;
  } else if (error.code == ErrorCode::Unauthorized) {
    result.message =
        "the API server does not know you: log in again, or choose another --context (" + error.message + ")";
  } else if (is_unknown_resource(error)) {
    result.message = "this cluster does not have " + resource(type) +
                     ": is Convoke installed there? `kubectl get crd " + resource(type) + "` says";
    result.code = ErrorCode::Invalid;
  } else if (error.code == ErrorCode::Unavailable || error.code == ErrorCode::Timeout) {
    result.message = "the API server cannot be reached: " + error.message;
  }
  return result;
}

Error Cluster::with_similar_names(Error error, const std::vector<const kube::ResourceType*>& kinds,
                                  const std::string& name) const {
  error.message = "there is no " + described(kinds) + " \"" + name + "\" in namespace " + namespace_;
  std::vector<std::string> names;
  for (const auto* type : kinds) {
    const auto objects = list(*type);
    // Who may get objects need not be allowed to list them.
    if (!objects) return error;
    for (const auto& object : *objects) names.push_back(name_of(object));
  }
  if (names.empty()) {
    error.message += "; there are none at all: is it another --namespace?";
    return error;
  }
  // A name that begins like that is meant more often than one with as many letters wrong.
  const auto begins = std::find_if(names.begin(), names.end(),
                                   [&](const std::string& known) { return known.starts_with(name); });
  const auto similar = begins != names.end() ? *begins : most_similar(name, names);
  if (!similar.empty()) error.message += "; did you mean \"" + similar + "\"?";
  return error;
}

}  // namespace convoke::plugin
