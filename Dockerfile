# Faultline's image, for amd64 and arm64:
#   docker build --tag faultline .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag faultline .

# What is built runs everywhere (there is no native code among the packages): once, on the machine that builds.
FROM --platform=$BUILDPLATFORM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm ci --omit=dev --ignore-scripts

FROM node:24-slim
LABEL org.opencontainers.image.title="Faultline" \
      org.opencontainers.image.description="Transparent network fault proxy" \
      org.opencontainers.image.licenses="MIT"
# nft is for "faultline sidecar" and for packet_loss with the engine "kernel"; both need CAP_NET_ADMIN, nothing else does.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nftables \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /app/dist/esm/cli/main.js /usr/local/bin/faultline
WORKDIR /app
COPY --from=build /build/package.json /build/faultline.schema.json /build/faultline-experiment.schema.json /build/LICENSE ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist/esm ./dist/esm
ENV NODE_ENV=production
# No application's user (node's own is 1000), as the sidecar's rules tell Faultline by it.
USER 8474:8474
EXPOSE 8474
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["faultline", "healthcheck"]
ENTRYPOINT ["faultline"]
# In a container all interfaces are the container's: what of them is published is said by "docker run --publish".
CMD ["serve", "--host", "0.0.0.0"]
