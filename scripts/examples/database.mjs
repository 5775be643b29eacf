// A real Postgres for the examples that have a database: that of the tests, which is TypeScript and so is loaded by vitest.
import { createViteServer } from 'vitest/node'
import { root } from './user-folder.mjs'

/** @returns its URL and stop() */
export async function startDatabase() {
  const loader = await createViteServer({
    root,
    configFile: false,
    logLevel: 'error',
    server: { middlewareMode: true },
  })
  try {
    const { startProcess } = await loader.ssrLoadModule('/test/support/postgres-process.ts')
    const { port, stop } = await startProcess([], () => ({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
    }))
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop }
  } finally {
    await loader.close()
  }
}
