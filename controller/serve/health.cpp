#include "controller/serve/health.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace convoke::serve {

namespace {

constexpr std::string_view kHealthz = "healthz";
constexpr std::string_view kReadyz = "readyz";

// "/readyz/caches" as its two parts.
struct Target {
  std::string_view endpoint;
  std::string_view check;
};

Target split(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

struct Query {
  bool verbose = false;
  std::set<std::string, std::less<>> excluded;
};

Query parse_query(std::string_view text) {
  constexpr std::string_view kExclude = "exclude=";
  Query query;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto part = text.substr(0, end);
    if (part == "verbose" || part.starts_with("verbose=")) query.verbose = true;
    if (part.starts_with(kExclude)) query.excluded.emplace(part.substr(kExclude.size()));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return query;
}

}  // namespace

Health::Health() {
  add_health_check("ping", [] { return Status{}; });
  add_ready_check("ping", [] { return Status{}; });
}

void Health::add_health_check(const std::string& name, HealthCheck check) {
  healthz_.emplace_back(name, std::move(check));
}

void Health::add_ready_check(const std::string& name, HealthCheck check) {
  readyz_.emplace_back(name, std::move(check));
}

bool Health::serves(const std::string& path) {
  const auto endpoint = split(path).endpoint;
  return endpoint == kHealthz || endpoint == kReadyz;
}

ServeResponse Health::handle(const ServeRequest& request) const {
  const Target target = split(request.path);
  const Query query = parse_query(request.query);
  const Checks& checks = target.endpoint == kReadyz ? readyz_ : healthz_;

  ServeResponse response;
  bool failed = false;
  bool found = target.check.empty();
  for (const auto& [name, check] : checks) {
    if (!target.check.empty() && target.check != name) continue;
    found = true;
    if (query.excluded.contains(name)) {
      response.body += "[+]" + name + " excluded: ok\n";
      continue;
    }
    const Status status = check();
    failed = failed || !status;
    response.body +=
        status ? "[+]" + name + " ok\n" : "[-]" + name + " failed: " + status.error().message + "\n";
  }

  if (!found)
    return {404, response.content_type, "there is no check \"" + std::string(target.check) + "\"\n"};
  response.status = failed ? 503 : 200;
  response.body += std::string(target.endpoint) + (failed ? " check failed\n" : " check passed\n");
  if (!failed && !query.verbose) response.body = "ok";
  return response;
}

}  // namespace convoke::serve
