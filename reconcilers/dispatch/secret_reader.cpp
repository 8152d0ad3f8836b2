#include "reconcilers/dispatch/secret_reader.h"

#include <utility>

#include "controller/kube/base64.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

constexpr Duration kKeptFor = std::chrono::seconds(30);
// A person who mends it should not wait long.
constexpr Duration kFailureKeptFor = std::chrono::seconds(5);
constexpr std::size_t kMaxKnown = 1000;

Error not_readable(std::string message) {
  return {ErrorCode::Forbidden, std::move(message), reason::kSecretNotReadable};
}

Secret decode(const Json& object) {
  Secret secret;
  const auto meta = kube::meta_from_json(object);
  const auto origin = meta.annotations.find(kOriginAnnotation);
  if (origin != meta.annotations.end()) secret.origin = origin->second;
  const auto data = object.find("data");
  if (data == object.end() || !data->is_object()) return secret;
  for (const auto& [key, value] : data->items()) {
    if (!value.is_string()) continue;
    if (auto text = kube::base64_decode(value.get_ref<const std::string&>()))
      secret.values[key] = std::move(*text);
  }
  return secret;
}

}  // namespace

Result<std::string> Secret::value(const std::string& secret_name, const std::string& key) const {
  const auto found = values.find(key);
  if (found == values.end()) return not_readable("Secret " + secret_name + " has no key " + key);
  return found->second;
}

SecretReader::SecretReader(kube::Client& client, Clock& clock) : client_(client), clock_(clock) {}

Result<Secret> SecretReader::read(const kube::ObjectKey& key) {
  const MonotonicTime now = clock_.monotonic_now();
  {
    const MutexLock lock(mutex_);
    const auto found = known_.find(key);
    if (found != known_.end() && now < found->second.until) return found->second.secret;
  }
  auto secret = fetch(key);
  const bool answered = secret || secret.error().reason == reason::kSecretNotReadable;
  const MutexLock lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  if (answered) known_.insert_or_assign(key, Known{secret, now + (secret ? kKeptFor : kFailureKeptFor)});
  return secret;
}

void SecretReader::forget(const kube::ObjectKey& key) {
  const MutexLock lock(mutex_);
  known_.erase(key);
}

Result<Secret> SecretReader::fetch(const kube::ObjectKey& key) {
  const Result<Json> answer = client_.get(kSecret, key);
  if (answer) return decode(*answer);
  if (answer.error().code == ErrorCode::NotFound) return not_readable("there is no Secret " + key.name);
  if (answer.error().code == ErrorCode::Forbidden) {
    return not_readable("the operator may not read Secret " + key.name +
                        ": give it the verb get on this Secret, see dispatch.secrets of the Helm chart");
  }
  return answer.error().with_context("reading Secret " + key.name);
}

}  // namespace convoke::dispatch
