// Which containers are refused, engines that are none, and that nothing happens then. No stressor is started here.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { ContainerEngine } from '../../resource-stressors/kinds/container/engine.ts'
import { Stressors } from '../../resource-stressors/index.ts'
import { FakeEngine } from '../support/container-engine.ts'
import { FakeMachine } from '../support/stressors.ts'

const stressors = new Stressors()
let engine: FakeEngine
beforeAll(async () => {
  engine = await FakeEngine.start()
  engine.add('web', { labels: { app: 'shop', tier: 'front' } })
  engine.add('api', { labels: { app: 'shop' } })
  engine.add('frozen', { status: 'paused' })
  engine.add('dead', { status: 'exited', labels: { old: '' } })
  engine.add('short', { autoRemove: true })
})
afterAll(() => engine[Symbol.asyncDispose]())
beforeEach(() => {
  engine.misbehaviour = () => undefined
})
afterEach(() => {
  vi.unstubAllEnvs()
  // oxlint-disable-next-line vitest/no-standalone-expect -- it holds for all of them
  expect(engine.acts).toEqual([])
})

function dryRun(attributes: Record<string, unknown>, on = stressors) {
  const all = { socketPath: engine.socketPath, ...attributes }
  return on.start({ type: 'container', attributes: all, dryRun: true })
}

/** Of a container that may not be there. */
function pauseAt(socketPath: string) {
  return dryRun({ container: 'web', action: 'pause', socketPath })
}

test('a dry run names those that are meant', async () => {
  const { requested, notes } = await dryRun({ label: 'app=shop', maxMatches: 2, action: 'kill' })
  expect(requested).toEqual({ containers: 2 })
  expect(notes).toEqual(['kill: web (776562000000), api (617069000000)', 'not started again, as startAgain is false'])
  expect((await dryRun({ container: '7765', action: 'pause' })).notes).toEqual(['pause: web (776562000000)'])
})

test.each<[Record<string, unknown>, string, string]>([
  [{ container: 'web' }, 'attributes.action', 'missing, expected "pause" or "kill" or "stop" or "restart"'],
  [{ action: 'pause' }, 'attributes.container', 'expected container or label, got nothing'],
  [{ action: 'pause', container: 'web', label: 'app' }, 'attributes.label', 'expected nothing beside container'],
  [{ action: 'pause', container: '../web' }, 'attributes.container', 'expected letters, digits'],
  [{ action: 'pause', container: 'wbe' }, 'attributes.container', 'expected a container that the engine at'],
  [{ action: 'pause', container: 'frozen' }, 'attributes.container', 'a container that runs, and frozen is paused'],
  [{ action: 'restart', container: 'dead' }, 'attributes.container', 'a container that runs, and dead does not run'],
  [{ action: 'pause', label: 'old' }, 'attributes.label', 'expected a label of a container that runs at'],
  [{ action: 'pause', label: 'app=shop' }, 'attributes.maxMatches', 'at least 2, as so many have the label: web, api'],
  [{ action: 'stop', container: 'short' }, 'attributes.startAgain', 'false, as the engine removes short when it'],
  [{ action: 'pause', container: 'web', signal: 'SIGHUP' }, 'attributes.signal', 'nothing beside the action pause'],
  [{ action: 'kill', container: 'web', signal: 'SIGSTOP' }, 'attributes.signal', 'a signal that stops nothing'],
  [{ action: 'kill', container: 'web', signal: '9' }, 'attributes.signal', 'expected the name of a signal'],
  [{ action: 'kill', container: 'web', graceSeconds: 1 }, 'attributes.graceSeconds', 'nothing beside the action kill'],
  [{ action: 'pause', container: 'web', startAgain: true }, 'attributes.startAgain', 'nothing beside the action pause'],
  [{ action: 'pause', container: 'web', socketPath: 'x.sock' }, 'attributes.socketPath', 'expected an absolute path'],
])('%j is refused by the name of the field', async (attributes, field, message) => {
  await expect(dryRun(attributes)).rejects.toMatchObject({ field, message: expect.stringContaining(message) })
})

test('the container that Faultline is in is refused, and left out of those with a label', async () => {
  const { id } = engine.add('self', { labels: { app: 'shop' } })
  using inside = new FakeMachine({
    'proc/self/mountinfo':
      `600 590 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n` +
      `601 590 8:1 /var/lib/docker/overlay2/${'7'.repeat(64)} / rw - overlay overlay rw\n`,
  })
  using outside = new FakeMachine({ 'proc/self/cgroup': `0::/system.slice/docker-${id}.scope\n` })
  for (const { root } of [inside, outside]) {
    const own = new Stressors({ machineRoot: root })
    await expect(dryRun({ container: 'self', action: 'pause' }, own)).rejects.toMatchObject({
      message: 'attributes.container: expected another container than the one that this process is in, got "self"',
    })
    const { notes } = await dryRun({ label: 'app=shop', maxMatches: 2, action: 'pause' }, own)
    expect(notes).toContain('left out: the container that this process is in')
  }
  engine.containers.delete(id)
})

test('DOCKER_HOST says where the engine is, unless the stressor does', async () => {
  const attributes = { container: 'web', action: 'pause', socketPath: undefined }
  vi.stubEnv('DOCKER_HOST', `unix://${engine.socketPath}`)
  expect((await dryRun(attributes)).requested).toEqual({ containers: 1 })
  vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:2375')
  await expect(dryRun(attributes)).rejects.toMatchObject({
    field: 'attributes.socketPath',
    message: expect.stringContaining('as the one in DOCKER_HOST, "tcp://127.0.0.1:2375", is none, got nothing'),
  })
})

// ---- engines -----------------------------------------------------------------------------------------------------

test.each([
  ['1.41', '1.41'],
  ['1.99', '1.51'],
])('with an engine of version %s, it speaks %s', async (theirs, ours) => {
  await using other = await FakeEngine.start(theirs)
  other.add('web')
  await dryRun({ container: 'web', action: 'pause', socketPath: other.socketPath })
  expect(other.askedVersion).toBe(ours)
})

test('no engine, one that has died, and one that is not for us are told apart', async () => {
  await expect(pauseAt('/nonexistent/docker.sock')).rejects.toMatchObject({
    code: 'stressor_refused',
    message: 'container: no container engine can be reached at /nonexistent/docker.sock (ENOENT): is it running?',
  })
  await expect(pauseAt(import.meta.filename)).rejects.toMatchObject({
    message: expect.stringContaining('(ECONNREFUSED): is it running?'),
  })
})

test.skipIf(process.getuid?.() !== 0)('a socket of others says that it takes their permission', async () => {
  chmodSync(engine.socketPath, 0o700)
  process.seteuid?.(65_534)
  try {
    await expect(dryRun({ container: 'web', action: 'pause' })).rejects.toMatchObject({
      code: 'stressor_refused',
      message: expect.stringContaining(
        'may not be used by this user (EACCES): it takes root, or the group of the socket',
      ),
    })
  } finally {
    process.seteuid?.(0)
  }
})

const HTML = '<html>It works!</html>'
const good = { Id: '7'.repeat(64), Name: '/web', State: { Running: true, Paused: false } }
const large = { ...good, Config: { Env: ['x'.repeat(2 ** 24)] } }

test.each<[string, string, { status: number; body?: unknown; headers?: Record<string, string> }]>([
  ['a web server', 'GET /_ping', { status: 200, body: HTML, headers: { 'Api-Version': '' } }],
  ['a version that is none', 'GET /_ping', { status: 200, body: 'OK', headers: { 'Api-Version': 'v1/../..' } }],
  ['text for a container', 'GET /containers/web/json', { status: 200, body: HTML }],
  ['a container without a state', 'GET /containers/web/json', { status: 200, body: { ...good, State: {} } }],
  ['an id that is a path', 'GET /containers/web/json', { status: 200, body: { ...good, Id: '../../info' } }],
  ['a redirect', 'GET /containers/web/json', { status: 302, headers: { Location: 'http://example.com/' } }],
  ['more than anybody would read', 'GET /containers/web/json', { status: 200, body: large }],
])('%s is no answer of an engine', async (_what, where, reply) => {
  engine.misbehaviour = (call) => (call === where ? reply : undefined)
  await expect(dryRun({ container: 'web', action: 'pause' })).rejects.toMatchObject({
    code: 'stressor_refused',
    message: expect.stringMatching(new RegExp(`answered ${where} as no container engine does: is it the right socket`)),
  })
})

test('what does not speak HTTP is no engine', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-no-engine-'))
  const socketPath = join(folder, 'some.sock')
  const server = net.createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')).listen(socketPath)
  await once(server, 'listening')
  await expect(pauseAt(socketPath)).rejects.toMatchObject({
    message: expect.stringContaining('answered GET /_ping as no container engine does'),
  })
  server.close()
  rmSync(folder, { recursive: true })
})

test("the engine's own words are passed on", async () => {
  const message = 'client version 1.43 is too old. Minimum supported API version is 1.99'
  engine.misbehaviour = (call) => (call.includes('/json') ? { status: 400, body: { message } } : undefined)
  await expect(dryRun({ container: 'web', action: 'pause' })).rejects.toMatchObject({
    message: `container: the container engine at ${engine.socketPath} refused GET /containers/web/json: ${message} (HTTP 400)`,
  })
})

test('an engine that is silent is not waited for', async () => {
  engine.misbehaviour = (call) => (call.includes('/json') ? 'silence' : undefined)
  const client = await ContainerEngine.connect(engine.socketPath, 200)
  await expect(client.inspect('web')).rejects.toMatchObject({
    code: 'timeout',
    message: expect.stringContaining('gave no answer to GET /containers/web/json within 0.2 s'),
  })
  await client.close()
})
