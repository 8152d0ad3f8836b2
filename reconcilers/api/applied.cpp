#include "reconcilers/api/applied.h"

#include <algorithm>
#include <array>

namespace convoke::api {
namespace {

constexpr std::array kTrackingLabels = {
    "kustomize.toolkit.fluxcd.io/name",  // Flux, of a Kustomization
    "helm.toolkit.fluxcd.io/name",       // Flux, of a HelmRelease
    "argocd.argoproj.io/instance",       // Argo CD, with the label that its manual advises
    "app.kubernetes.io/instance",        // Argo CD, with the label that it has by default
    "applyset.kubernetes.io/part-of",    // kubectl apply --applyset
};

constexpr std::array kTrackingAnnotations = {
    "argocd.argoproj.io/tracking-id",  // Argo CD, with annotations
    "meta.helm.sh/release-name",       // Helm
};

constexpr char kManagedBy[] = "app.kubernetes.io/managed-by";

}  // namespace

bool is_applied_by_a_tool(const kube::ObjectMeta& meta) {
  const auto is_in = [](const auto& map) { return [&map](const char* key) { return map.count(key) > 0; }; };
  return std::any_of(kTrackingLabels.begin(), kTrackingLabels.end(), is_in(meta.labels)) ||
         std::any_of(kTrackingAnnotations.begin(), kTrackingAnnotations.end(), is_in(meta.annotations)) ||
         meta.label(kManagedBy) == "Helm";
}

}  // namespace convoke::api
