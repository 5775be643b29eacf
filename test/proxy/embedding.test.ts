// The data plane by itself: what importing it loads, and that it lets the process end.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

async function run(code: string, ...flags: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', code], { cwd: root, timeout: 10_000 })
  return stdout.trim()
}

const esm = '--input-type=module'

test('importing faultline loads neither admin server nor fastify nor CLI', async () => {
  // The CommonJS build, as require.cache tells what has been loaded. Its imports are the ES build's.
  const loaded = await run(`
    const { Network } = require('./dist/cjs/proxy/index.js')
    if (typeof Network !== 'function') throw new Error('no Network')
    console.log(Object.keys(require.cache).join('\\n'))`)
  expect(loaded).toMatch(/dist\/cjs\/proxy\/network\.js/)
  expect(loaded).not.toMatch(/fastify|undici|pino|prom-client|\/admin\/|\/cli\//)
})

test('the package can be imported and required by its name', async () => {
  expect(await run(`console.log(typeof require('faultline').Network)`)).toBe('function')
  expect(await run(`import { Network } from 'faultline'; console.log(typeof Network)`, esm)).toBe('function')
  expect(await run(`console.log(typeof require('faultline/admin').startAdminServer)`)).toBe('function')
})

test('a closed network lets the process end, with connections, faults and timers before', async () => {
  const out = await run(
    `
    import net from 'node:net'
    import { Network } from 'faultline'
    const server = net.createServer((socket) => socket.resume()).listen(0)
    await new Promise((resolve) => server.on('listening', resolve))
    const network = new Network()
    const proxy = await network.createProxy({ name: 'p', upstream: '127.0.0.1:' + server.address().port,
      faults: [{ type: 'latency', direction: 'upstream', attributes: { latency: 60000 } }, { type: 'timeout', attributes: { timeout: 60000 } }] })
    const client = net.connect(proxy.port).on('error', () => {})
    client.write('held')
    await new Promise((resolve) => setTimeout(resolve, 50))
    await network.close()
    server.close()
    client.destroy()
    console.log('closed')`,
    esm,
  )
  expect(out).toBe('closed') // and execFile's timeout did not end it
})

test('the two module formats share one error brand', async () => {
  const out = await run(
    `
    import { createRequire } from 'node:module'
    import { isFaultlineError } from 'faultline'
    const cjs = createRequire(import.meta.url)('./dist/cjs/proxy/index.js')
    console.log(isFaultlineError(new cjs.FaultlineError('invalid_value', 'x')), cjs.Network !== undefined)`,
    esm,
  )
  expect(out).toBe('true true')
})
