// The code of store.h; include that.
#pragma once

#include <stdexcept>
#include <utility>

#include "controller/runtime/store.h"

namespace convoke::runtime {

template <class T>
void Store<T>::add_index(const std::string& name, IndexFunction function) {
  MutexLock lock(mutex_);
  indexes_[name].function = std::move(function);
}

template <class T>
void Store<T>::add_handler(Handler handler) {
  handlers_.push_back(std::move(handler));
}

// --- Reading ---

template <class T>
typename Store<T>::Ptr Store<T>::get(const kube::ObjectKey& key) const {
  MutexLock lock(mutex_);
  const auto held = objects_.find(key);
  return held == objects_.end() ? nullptr : *held;
}

template <class T>
std::vector<typename Store<T>::Ptr> Store<T>::list() const {
  MutexLock lock(mutex_);
  return {objects_.begin(), objects_.end()};
}

template <class T>
std::vector<typename Store<T>::Ptr> Store<T>::by_index(const std::string& index,
                                                       const std::string& value) const {
  MutexLock lock(mutex_);
  const Objects* found = find_in_index(index, value);
  return found == nullptr ? std::vector<Ptr>{} : std::vector<Ptr>{found->begin(), found->end()};
}

template <class T>
std::size_t Store<T>::count_by_index(const std::string& index, const std::string& value) const {
  MutexLock lock(mutex_);
  const Objects* found = find_in_index(index, value);
  return found == nullptr ? 0 : found->size();
}

template <class T>
std::size_t Store<T>::size() const {
  MutexLock lock(mutex_);
  return objects_.size();
}

template <class T>
const typename Store<T>::Objects* Store<T>::find_in_index(const std::string& index,
                                                          const std::string& value) const {
  const auto found = indexes_.find(index);
  if (found == indexes_.end()) {
    throw std::logic_error("this store has no index \"" + index + "\"");
  }
  const auto objects = found->second.by_value.find(value);
  return objects == found->second.by_value.end() ? nullptr : &objects->second;
}

// --- News ---

template <class T>
void Store<T>::replace(std::vector<Ptr> objects, const std::string& resource_version,
                       const std::string& namespace_) {
  Changes changes;
  {
    MutexLock lock(mutex_);
    const bool initial = listed_.insert(namespace_).second;
    take_out_unlisted(objects, kube::resource_version_number(resource_version), namespace_, changes);
    for (const Ptr& object : objects) {
      tombstones_.forgive(object->meta.uid);
      if (is_news(object)) {
        put(object, initial, changes);
      }
    }
  }
  notify(changes);
}

template <class T>
void Store<T>::apply(Ptr object) {
  Changes changes;
  {
    MutexLock lock(mutex_);
    if (is_news(object)) {
      put(std::move(object), false, changes);
    }
  }
  notify(changes);
}

template <class T>
void Store<T>::remove(const kube::ObjectKey& key, const std::string& uid,
                      const std::string& resource_version) {
  Changes changes;
  {
    MutexLock lock(mutex_);
    const std::uint64_t version = kube::resource_version_number(resource_version);
    tombstones_.bury(uid, version);
    const auto held = objects_.find(key);
    const bool is_that_object = held != objects_.end() && (uid.empty() || (*held)->meta.uid == uid);
    // A removal can be older than what we hold where a selector let the object go and our own write brought
    // it back.
    if (is_that_object && (version == 0 || version >= version_of(**held))) {
      take_out(held, version, changes);
    }
  }
  notify(changes);
}

template <class T>
void Store<T>::overlay_removed(const kube::ObjectKey& key, const std::string& uid) {
  Changes changes;
  {
    MutexLock lock(mutex_);
    tombstones_.bury(uid, Tombstones::kForever);
    const auto held = objects_.find(key);
    if (held != objects_.end() && (uid.empty() || (*held)->meta.uid == uid)) {
      take_out(held, Tombstones::kForever, changes);
    }
  }
  notify(changes);
}

// --- What is newer ---

template <class T>
std::uint64_t Store<T>::version_of(const T& object) {
  return kube::resource_version_number(object.meta.resource_version);
}

template <class T>
bool Store<T>::is_newer(const T& candidate, const T& held) {
  const bool same_uid = candidate.meta.uid == held.meta.uid;
  if (same_uid && candidate.meta.resource_version == held.meta.resource_version) {
    return false;
  }
  const std::uint64_t ours = version_of(held);
  const std::uint64_t theirs = version_of(candidate);
  if (ours == 0 || theirs == 0) {
    return true;  // versions that cannot be compared: the last one to come wins
  }
  return theirs > ours || (theirs == ours && !same_uid);
}

template <class T>
bool Store<T>::is_news(const Ptr& object) const {
  if (tombstones_.covers(object->meta.uid, version_of(*object))) {
    return false;
  }
  const auto held = objects_.find(object);
  return held == objects_.end() || is_newer(*object, **held);
}

// --- Changing ---

template <class T>
void Store<T>::put(Ptr object, bool initial, Changes& changes) {
  auto held = objects_.find(object);
  if (held != objects_.end() && (*held)->meta.uid != object->meta.uid) {
    take_out(held, version_of(*object), changes);
    held = objects_.end();
  }
  Ptr before;
  if (held == objects_.end()) {
    objects_.insert(object);
  } else {
    auto node = objects_.extract(held);
    before = std::exchange(node.value(), object);
    objects_.insert(std::move(node));
  }
  reindex(before, object);
  changes.push_back({std::move(before), std::move(object), initial});
}

template <class T>
typename Store<T>::Objects::iterator Store<T>::take_out(typename Objects::iterator held,
                                                        std::uint64_t dead_version, Changes& changes) {
  const Ptr before = *held;
  tombstones_.bury(before->meta.uid, dead_version);
  reindex(before, nullptr);
  changes.push_back({before, nullptr, false});
  return objects_.erase(held);
}

template <class T>
void Store<T>::take_out_unlisted(const std::vector<Ptr>& listed, std::uint64_t list_version,
                                 const std::string& namespace_, Changes& changes) {
  if (objects_.empty()) {
    return;
  }
  const Objects in_list(listed.begin(), listed.end());
  for (auto held = objects_.begin(); held != objects_.end();) {
    const bool elsewhere = !namespace_.empty() && (*held)->meta.namespace_ != namespace_;
    const bool newer_than_list = list_version != 0 && version_of(**held) > list_version;
    if (elsewhere || newer_than_list || in_list.contains(*held)) {
      ++held;
    } else {
      held = take_out(held, list_version, changes);
    }
  }
}

template <class T>
void Store<T>::reindex(const Ptr& before, const Ptr& after) {
  for (auto& [name, index] : indexes_) {
    for (const std::string& value : before ? index.function(*before) : std::vector<std::string>{}) {
      const auto bucket = index.by_value.find(value);
      if (bucket != index.by_value.end() && bucket->second.erase(before) > 0 && bucket->second.empty()) {
        index.by_value.erase(bucket);
      }
    }
    for (const std::string& value : after ? index.function(*after) : std::vector<std::string>{}) {
      index.by_value[value].insert(after);
    }
  }
}

template <class T>
void Store<T>::notify(const Changes& changes) const {
  for (const Change& change : changes) {
    for (const Handler& handler : handlers_) {
      handler(change);
    }
  }
}

}  // namespace convoke::runtime
