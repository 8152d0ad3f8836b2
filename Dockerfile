# Convoke's images. hack/image builds them with a compiler cache, and makes the base where no registry can be reached; with
# an ordinary Docker (20.10 or later, with or without BuildKit) this file alone is enough:
#
#   docker build -t convoke-operator:0.1.0 --build-arg COMMIT=$(git rev-parse HEAD) \
#     --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
#   docker build -t convoke-runner:0.1.0 --target runner .
#
# operator   every program of Convoke and the shared libraries they need, and nothing else: no shell, no package manager
# runner     convoke-runner on Debian, whose shell and tools the commands of Tasks want; base your own agents on it
#
# Both run as user 65532 and need no file system that can be written, but for the runner's /tmp.
ARG BASE=debian:bookworm-slim
ARG BUILDER=tools

# --- What compiles ---
FROM ${BASE} AS tools
COPY hack/lib/build.sh /src/hack/lib/
RUN bash -euc 'source /src/hack/lib/build.sh; export DEBIAN_FRONTEND=noninteractive; \
  apt-get update -qq; apt-get upgrade -y -qq; \
  apt-get install -y -qq --no-install-recommends "${BUILD_PACKAGES[@]}" ca-certificates jq; \
  rm -rf /var/lib/apt/lists/*'

# --- The programs, and the files of the images with the list of their parts, in /src/build/image ---
# BUILDER and PREBUILT are hack/image's, which does this in `tools` before, and only hands in what came out.
FROM ${BUILDER} AS build
COPY . /src/
ARG PREBUILT=
ARG VERSION=0.1.0
ARG COMMIT=unknown
ARG SOURCE_DATE_EPOCH=
RUN [ -n "$PREBUILT" ] || /src/hack/container/build "$VERSION" "$COMMIT"

# --- Target operator ---
FROM scratch AS operator
ARG VERSION=0.1.0
ARG COMMIT=unknown
ARG CREATED=
LABEL org.opencontainers.image.title="convoke-operator" \
  org.opencontainers.image.description="Kubernetes operator that gives work to workers: Agents, Tasks, Workflows" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${COMMIT}" \
  org.opencontainers.image.created="${CREATED}"
COPY --from=build /src/build/image/rootfs /
ENV PATH=/usr/bin
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/convoke-operator"]

# --- Target runner ---
FROM ${BASE} AS runner
COPY --from=build /src/build/image/runtime-packages /tmp/
RUN export DEBIAN_FRONTEND=noninteractive \
  && apt-get update -qq && apt-get upgrade -y -qq \
  && apt-get install -y -qq --no-install-recommends ca-certificates $(cat /tmp/runtime-packages) \
  && rm -rf /var/lib/apt/lists/* /var/log/* /tmp/runtime-packages
COPY --from=build /src/build/image/rootfs/usr/bin/convoke-runner /usr/bin/
RUN groupadd -g 65532 convoke && useradd -u 65532 -g 65532 -d /tmp -M -s /usr/sbin/nologin convoke
ARG VERSION=0.1.0
ARG COMMIT=unknown
ARG CREATED=
LABEL org.opencontainers.image.title="convoke-runner" \
  org.opencontainers.image.description="Reference agent of Convoke: runs commands for Tasks" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${COMMIT}" \
  org.opencontainers.image.created="${CREATED}"
USER 65532:65532
ENTRYPOINT ["/usr/bin/convoke-runner"]

# What is built if no target is named.
FROM operator
