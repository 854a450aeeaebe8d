# Node's own slim image, the packages that the program imports, and the program: there is nothing to be built. The image has
# the embedded database but not the embedded engine, whose packages are optional: in containers inference is elsewhere. The
# demonstration model is there all the same, so that a start without a backend says what is missing.
# `node scripts/list-image.ts` lists what gets into it, and how large that is.

# release.yml puts the digest that the registry has at that moment in the place of this tag.
FROM --platform=$BUILDPLATFORM node:26-slim AS packages
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
# All of it is JavaScript and WebAssembly, so it is the same for every platform.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && mkdir /data

# Nothing runs in this stage: it is made for other platforms without emulating them.
FROM node:26-slim
ARG VERSION=0.0.0-development
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Weir" \
      org.opencontainers.image.description="The production API in front of your own inference servers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/weir-gateway/weir" \
      org.opencontainers.image.documentation="https://github.com/weir-gateway/weir/blob/main/docs/DEPLOYMENT.md" \
      org.opencontainers.image.base.name="docker.io/library/node:26-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY LICENSE package.json ./
COPY scripts ./scripts
COPY plugins ./plugins
COPY routes ./routes
COPY src ./src
# The only folder that it writes to. A volume that is new takes its owner from here.
COPY --from=packages --chown=1000:1000 /data /var/lib/weir
# A container has its loopback for itself, so what is outside has to reach the other addresses. Only the port for callers
# is exposed: metrics and the admin API are on the second, probes on the third.
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=4000 \
    INTERNAL_HOST=0.0.0.0 \
    INTERNAL_PORT=9090 \
    PROBE_PORT=9091 \
    WEIR_DATA_DIR=/var/lib/weir
EXPOSE 4000
VOLUME ["/var/lib/weir"]
# By number, so that an orchestrator can see that it is not root.
USER 1000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["node", "/app/scripts/ask-readiness.js"]
ENTRYPOINT ["node", "/app/scripts/weir.js"]
CMD ["start"]
