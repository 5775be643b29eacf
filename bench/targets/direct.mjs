// No proxy at all: what the machine, the load generator and the upstream can do.

/** @type {import('./target.mjs').Target} */
export const direct = {
  name: 'direct',
  carries: 'tcp',
  injectsFaults: false,
  find: async () => ({ version: '' }),
  start: async ({ upstreamPort }) => ({ port: upstreamPort, pid: null, stop: async () => {} }),
}
