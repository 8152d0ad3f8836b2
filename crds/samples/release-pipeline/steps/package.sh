#!/bin/sh
# Packs the program and its release notes.
# Parameters: version, buildDirectory, program, releaseNotes. Outputs: archive, bytes.
. "$SAMPLE_DIR/steps/lib.sh"
need CONVOKE_PARAM_VERSION CONVOKE_PARAM_BUILDDIRECTORY CONVOKE_PARAM_PROGRAM CONVOKE_PARAM_RELEASENOTES
safe_name "$CONVOKE_PARAM_VERSION"

name=wordcount-$CONVOKE_PARAM_VERSION-$(uname -m)
folder=$CONVOKE_PARAM_BUILDDIRECTORY/$name
archive=$CONVOKE_PARAM_BUILDDIRECTORY/$name.tar.gz

progress 20 "gathering files"
rm -rf "$folder"
mkdir "$folder"
cp "$CONVOKE_PARAM_PROGRAM" "$SAMPLE_DIR/README.md" "$folder/"
strip "$folder/wordcount"
printf '%s\n' "$CONVOKE_PARAM_RELEASENOTES" > "$folder/RELEASE"

progress 60 "packing"
tar -C "$CONVOKE_PARAM_BUILDDIRECTORY" -czf "$archive" "$name"
progress 100 "packed $name.tar.gz"

outputs archive "$archive" 'bytes#' "$(bytes_of "$archive")"
