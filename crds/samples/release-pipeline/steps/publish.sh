#!/bin/sh
# Publishes the archive into $WORK_DIR/published/<version>, with its SHA-256 beside it.
# Parameters: version, archive. Outputs: location, sha256.
. "$SAMPLE_DIR/steps/lib.sh"
need CONVOKE_PARAM_VERSION CONVOKE_PARAM_ARCHIVE
safe_name "$CONVOKE_PARAM_VERSION"

name=$(basename "$CONVOKE_PARAM_ARCHIVE")
shelf=$WORK_DIR/published/$CONVOKE_PARAM_VERSION
mkdir -p "$shelf"

progress 30 "copying"
cp "$CONVOKE_PARAM_ARCHIVE" "$shelf/.$name.$$"
mv "$shelf/.$name.$$" "$shelf/$name" # a reader sees all of it or nothing

progress 70 "hashing"
(cd "$shelf" && sha256sum "$name" > "$name.sha256" && sha256sum --check --quiet "$name.sha256")
sha256=$(cut -d ' ' -f 1 "$shelf/$name.sha256")
progress 100 "published $name"

outputs location "$shelf/$name" sha256 "$sha256"
