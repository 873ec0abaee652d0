# BuildKit runs this image to list what the published image holds (its SBOM); its own scanner comes from DockerHub.
FROM ghcr.io/anchore/syft:v1.42.3 AS syft

FROM registry.access.redhat.com/ubi9/ubi-micro:9.8
COPY --from=syft /syft /usr/local/bin/syft
ENV SYFT_CHECK_FOR_APP_UPDATE=false HOME=/tmp
# BuildKit gives the two folders and takes in-toto statements (moby/buildkit, docs/attestations/sbom-protocol.md).
CMD ["sh", "-ec", "syft scan \"dir:$BUILDKIT_SCAN_SOURCE\" --quiet --output spdx-json > /tmp/spdx.json; { printf '{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"predicateType\":\"https://spdx.dev/Document\",\"predicate\":'; cat /tmp/spdx.json; printf '}'; } > \"$BUILDKIT_SCAN_DESTINATION/image.spdx.json\""]
