// What is done to containers, and that it is undone, whoever is killed.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { act, undo, type ContainerOrder } from '../../resource-stressors/kinds/container/act.ts'
import { ContainerEngine } from '../../resource-stressors/kinds/container/engine.ts'
import { FakeEngine, type FakeContainer } from '../support/container-engine.ts'
import { childrenOf, isThere, StressorParent, untilGone } from '../support/stressors.ts'

const stressors = new Stressors()
afterAll(() => stressors.close())

const POLL = { timeout: 10_000, interval: 10 }

let engine: FakeEngine
beforeEach(async () => {
  engine = await FakeEngine.start()
})
afterEach(() => engine[Symbol.asyncDispose]())

function startOn(attributes: Record<string, unknown>): Promise<Stressor> {
  const all = { socketPath: engine.socketPath, ...attributes }
  return stressors.start({ type: 'container', attributes: all, ttlMs: 20_000 })
}

function lastWords({ id }: Stressor) {
  return stressors.events.entries({ stressor: id }).at(-1)
}

test('a paused one is reported as such, goes on at the end, and the guard is gone then', async () => {
  const web = engine.add('web')
  const stressor = await startOn({ container: 'web', action: 'pause' })
  expect(web.status).toBe('paused')
  await expect.poll(() => stressor.achieved, POLL).toEqual({ containers: 1 })
  web.status = 'running' // somebody else has let it go on
  await expect.poll(() => stressor.achieved, POLL).toEqual({ containers: 0 })
  web.status = 'paused'
  const guards = childrenOf(stressor.pid!)
  expect(guards).toHaveLength(1)
  await stressor.stop()
  expect(web.status).toBe('running')
  await untilGone(guards, 0)
})

test('if the engine fails at one of two, both are as they were, and its reason is told', async () => {
  const [one, two] = ['one', 'two'].map((name) => engine.add(name, { labels: { app: '' } }))
  const message = 'Cannot pause container: OCI runtime pause failed'
  engine.misbehaviour = (call) =>
    call === `POST /containers/${two!.id}/pause` ? { status: 500, body: { message } } : undefined
  await expect(startOn({ label: 'app', maxMatches: 2, action: 'pause' })).rejects.toMatchObject({
    code: 'stressor_failed',
    message: expect.stringContaining(`refused POST /containers/${two!.id}/pause: ${message} (HTTP 500)`),
  })
  expect([one!.status, two!.status]).toEqual(['running', 'running'])
})

test('if the engine fails at the end, that is told, and the guard tries again', async () => {
  const web = engine.add('web')
  const stressor = await startOn({ container: 'web', action: 'pause' })
  const guards = childrenOf(stressor.pid!)
  engine.misbehaviour = (call) => (call.endsWith('/unpause') ? { status: 503, body: 'no time' } : undefined)
  await stressor.stop()
  expect(lastWords(stressor)).toMatchObject({
    reason: 'request',
    message: expect.stringContaining('/unpause: no time (HTTP 503)'),
  })
  // The first was the stressor's.
  await expect.poll(() => engine.acts.filter((act) => act === 'unpause').length, POLL).toBeGreaterThan(2)
  expect([web.status, guards.map(isThere)]).toEqual(['paused', [true]])
  engine.misbehaviour = () => undefined
  await untilGone(guards, 2000)
  expect(web.status).toBe('running')
})

test('if the parent and the process of the stressor are killed, one that is paused goes on', async () => {
  const [web, db] = [engine.add('web'), engine.add('db')]
  const specOf = (container: string) => {
    const attributes = { container, action: 'pause', socketPath: engine.socketPath }
    return { type: 'container', attributes, ttlMs: 20_000 }
  }
  await using parent = new StressorParent([specOf('web'), specOf('db')])
  const [first, second] = ((await parent.said('started')) as { pid: number }[]).map(({ pid }) => pid)
  expect([web.status, db.status]).toEqual(['paused', 'paused'])
  const guards = [first!, second!].flatMap(childrenOf)
  process.kill(second!, 'SIGSTOP') // it can do nothing between the two signals
  parent.child.kill('SIGKILL')
  process.kill(second!, 'SIGKILL')
  await untilGone([first!, second!, ...guards], 2000)
  expect([web.status, db.status]).toEqual(['running', 'running'])
  expect(engine.acts).toEqual(['pause', 'pause', 'unpause', 'unpause'])
})

test('in an emergency, nobody waits for a container that takes long to stop: the guard starts it afterwards', async () => {
  const web = engine.add('web')
  let letEnd: (() => void) | undefined
  engine.mayEnd = new Promise((resolve) => {
    letEnd = resolve
  })
  const stressor = await startOn({ container: 'web', action: 'stop', graceSeconds: 30 })
  expect([web.status, stressor.state]).toEqual(['running', 'running'])
  const guards = childrenOf(stressor.pid!)
  await stressors.stopAll()
  // Nobody knows how far the engine is: starting it now would be too early.
  await expect.poll(() => engine.acts, POLL).toEqual(['stop?t=30', 'stop?t=30'])
  letEnd?.()
  await untilGone(guards, 2000)
  expect([web.status, engine.acts.at(-1)]).toEqual(['running', 'start'])
})

// ---- without a process -------------------------------------------------------------------------------------------

test.each<[Partial<ContainerOrder>, FakeContainer['status'], string[]]>([
  [{ action: 'pause' }, 'paused', ['pause', 'unpause']],
  [{ action: 'stop', startAgain: true }, 'exited', ['stop?t=5', 'start']],
  [{ action: 'kill', startAgain: true }, 'exited', ['kill?signal=SIGHUP', 'start']],
  [{ action: 'restart' }, 'running', ['restart?t=5']],
  [{ action: 'stop' }, 'exited', ['stop?t=5']],
])('%j is done, and undone where that is wanted', async (order, status, acts) => {
  const web = engine.add('web')
  const { client, order: whole } = await orderFor(web, order)
  await act(client, whole)
  expect(web.status).toBe(status)
  const isLeft = order.action === 'stop' && !order.startAgain
  await undo(client, whole, false)
  expect([web.status, engine.acts]).toEqual([isLeft ? 'exited' : 'running', acts])
  await undo(client, whole, false) // changes nothing any more
  expect(web.status).toBe(isLeft ? 'exited' : 'running')
  await client.close()
})

test('what was under way is done to its end first, and a container that is gone needs nothing', async () => {
  const web = engine.add('web')
  const { client, order } = await orderFor(web, { action: 'pause' })
  await undo(client, order, true)
  expect([web.status, engine.acts]).toEqual(['running', ['pause', 'unpause']])
  engine.containers.clear()
  await undo(client, order, true)
  await client.close()
})

async function orderFor({ id, name }: FakeContainer, order: Partial<ContainerOrder>) {
  const { socketPath } = engine
  const rest = { action: 'pause', signal: 'SIGHUP', graceSeconds: 5, startAgain: false } as const
  const client = await ContainerEngine.connect(socketPath)
  return { client, order: { socketPath, containers: [{ id, name }], ...rest, ...order } }
}
