# syntax=docker/dockerfile:1
# The gateway alone in an image: no shell, no package manager, no root. `scripts/package --image` builds it.
#
#   docker run --rm -p 8080:8080 -v cordboard:/var/lib/cordboard \
#     -v ./cordboard.toml:/etc/cordboard/cordboard.toml:ro --env-file secrets.env cordboard
#
# In the configuration: `listen = "0.0.0.0:8080"` and `data_dir = "/var/lib/cordboard"`.
FROM rust:1.95-bookworm AS build
ARG CORDBOARD_COMMIT
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked --package cordboard \
    && install -D target/release/cordboard /image/cordboard \
    && mkdir /image/data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/cordboard /usr/bin/cordboard
COPY --from=build --chown=65532:65532 /image/data /var/lib/cordboard
ENV CORDBOARD_CONFIG=/etc/cordboard/cordboard.toml
WORKDIR /var/lib/cordboard
VOLUME ["/var/lib/cordboard"]
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=30s CMD ["/usr/bin/cordboard", "healthcheck"]
ENTRYPOINT ["/usr/bin/cordboard"]
CMD ["serve"]
