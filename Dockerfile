# The one image: a static binary and nothing else. The docker and spcs launchers
# run it unchanged; the local launcher runs the same binary without it.
#
#   task image       # builds the binary, then this around it
#
# There is no shell inside. CA roots and time zones are in the binary. It is
# built before the image, so that it carries the revision it was built from; the
# context is the folder that holds it.
FROM scratch
COPY benchfleet /benchfleet
USER 65532:65532
ENV BENCHFLEET_HEALTH=127.0.0.1:9464
ENTRYPOINT ["/benchfleet"]
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["/benchfleet", "health"]
ARG BUILD=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="benchfleet" \
      org.opencontainers.image.description="Runs one database benchmark on many workers and leaves a result that can be trusted" \
      org.opencontainers.image.source="https://github.com/benchfleet/benchfleet" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      io.benchfleet.build="${BUILD}"
