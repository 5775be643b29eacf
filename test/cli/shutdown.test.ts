// How `faultline serve` and `faultline demo` end, and what keeps them from starting.
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { AdminClient } from '../../admin/client.ts'
import { faultline, LongRunning, ROOT, serve } from './support.ts'

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends the server with exit code 0', async (signal) => {
    await using server = await serve()
    const { code, stdout, stderr } = await server.process.stop(signal)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('faultline stopped')
  })

  test('ends it also with connections that a toxic holds and a request that is only half there', async () => {
    await using server = await serve()
    const upstream = net.createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const client = new AdminClient(server.url)
    const { port } = upstream.address() as net.AddressInfo
    const { listen } = await client.createProxy({ name: 'p', listen: '127.0.0.1:0', upstream: `127.0.0.1:${port}` })
    await client.addToxic('p', { type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } })
    const held = net.connect(Number(listen.split(':')[1]), '127.0.0.1').on('error', () => undefined)
    await once(upstream, 'connection') // through the proxy
    const half = net.connect(server.port, '127.0.0.1').on('error', () => undefined)
    half.write('POST /proxies HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{')
    await client.version() // answered after the half request has been accepted

    const { code, stderr } = await server.process.stop()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    held.destroy()
    half.destroy()
    upstream.close()
    await client.close()
  })
})

test('a log that nobody reads any more does not end the server', async () => {
  await using server = await serve()
  server.process.stopReading()
  const client = new AdminClient(server.url)
  // Each is a line in the log.
  for (const name of ['a', 'b', 'c']) await client.createProxy({ name, listen: '127.0.0.1:0', upstream: 'x:1' })
  expect(Object.keys(await client.proxies())).toEqual(['a', 'b', 'c'])
  await client.close()
  expect(await server.process.stop()).toMatchObject({ code: 0, stderr: '' })
})

describe('a close that takes long', () => {
  const shutdown = JSON.stringify(pathToFileURL(join(ROOT, 'dist', 'esm', 'cli', 'shutdown.js')).href)

  /** Runs something whose close() does this. */
  async function running(close: string, deadlineMs = 5000): Promise<LongRunning> {
    const script = LongRunning.script(`
      import { runUntilSignal } from ${shutdown}
      const never = () => new Promise(() => setInterval(() => {}, 1000))
      const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
      const sendSigint = () => process.kill(process.pid, 'SIGINT')
      const close = async () => { console.log('closing'); ${close} }
      const alive = setInterval(() => {}, 1000)
      await runUntilSignal(async () => { console.log('running'); return { close } }, ${deadlineMs})
      clearInterval(alive)`)
    await script.line((line) => line === 'running')
    return script
  }

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('is cut short by a second signal: %s exits with %d', async (signal, code) => {
    await using script = await running('await never()')
    script.signal('SIGTERM')
    await script.line((line) => line === 'closing')
    expect(await script.stop(signal)).toMatchObject({ code })
  })

  test('is given up at the deadline, with exit code 1', async () => {
    await using script = await running('await never()', 50)
    expect(await script.stop()).toMatchObject({
      code: 1,
      stderr: 'faultline: could not stop within 0.05 s, giving up\n',
    })
  })

  test('is not cut short by the second SIGINT of one Ctrl-C, which npm passes on', async () => {
    await using script = await running(`sendSigint(); await after(20); console.log('closed')`)
    expect(await script.stop('SIGINT')).toMatchObject({ code: 0, stdout: 'running\nclosing\nclosed' })
  })

  test('is cut short by a second Ctrl-C', async () => {
    await using script = await running('await after(150); sendSigint(); await never()')
    expect(await script.stop('SIGINT')).toMatchObject({ code: 130 })
  })
})

/** A port that somebody listens on. */
async function taken(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  return { port, [Symbol.asyncDispose]: async () => void server.close() }
}

describe('a port that is in use', () => {
  test('for the API fails with exit code 1 and says which', async () => {
    await using first = await taken()
    const { code, stdout, stderr } = await faultline(['serve', '-port', String(first.port)])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(`^faultline: cannot listen on 127\\.0\\.0\\.1:${first.port}: the port is in use; .*--port\n$`),
    )
  })

  test('for a proxy of the configuration fails with exit code 1 and says which', async () => {
    await using first = await taken()
    const folder = await mkdtemp(join(tmpdir(), 'faultline-cli-'))
    const config = join(folder, 'config.json')
    await writeFile(config, JSON.stringify([{ name: 'p', listen: `127.0.0.1:${first.port}`, upstream: 'x:1' }]))
    const { code, stdout, stderr } = await faultline(['serve', '-port', '0', '-config', config])
    await rm(folder, { recursive: true })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`--config ${config}: `)
    expect(stderr).toContain(`127.0.0.1:${first.port}: bind: address already in use`)
  })

  test('for the demo fails with exit code 1 and says how to choose another', async () => {
    await using first = await taken()
    const port = String(first.port)
    const api = await faultline(['demo', '--port', port, '--proxy-port', '0'])
    expect(api).toMatchObject({ code: 1, stdout: '' })
    expect(api.stderr).toContain(`127.0.0.1:${port}: the port is in use; choose another port with --port`)
    const proxy = await faultline(['demo', '--port', '0', '--proxy-port', port])
    expect(proxy).toMatchObject({ code: 1, stdout: '' })
    expect(proxy.stderr).toMatch(new RegExp(`--proxy-port chooses: .*127.0.0.1:${port}.* in use`))
  })

  test('an address that is not of this machine fails with exit code 1', async () => {
    const { code, stdout, stderr } = await faultline(['serve', '-host', '192.0.2.1', '-port', '0'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('cannot listen on 192.0.2.1:0: not an address of this machine')
  })
})
