// Declares to the compiler which lock guards what (clang's -Wthread-safety checks it; other compilers ignore
// it).
#pragma once

#if defined(__clang__)
#define CONVOKE_ANNOTATION(x) __attribute__((x))
#else
#define CONVOKE_ANNOTATION(x)
#endif

#define CAPABILITY(x) CONVOKE_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY CONVOKE_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) CONVOKE_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) CONVOKE_ANNOTATION(pt_guarded_by(x))
#define REQUIRES(...) CONVOKE_ANNOTATION(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) CONVOKE_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) CONVOKE_ANNOTATION(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) CONVOKE_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) CONVOKE_ANNOTATION(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS CONVOKE_ANNOTATION(no_thread_safety_analysis)
