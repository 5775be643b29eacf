// Webhooks: what they are told and when, and that nothing of a run waits for them.
import type { IncomingMessage, RequestListener } from 'node:http'
import { json } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { Notifier, type Notification } from '../../../experiments/runner/notifier.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import type { NotificationRecord } from '../../../experiments/model.ts'
import { startHttpService, type HttpService } from '../../support/http-service.ts'
import { experimentOf, Heard, startSystem } from './support.ts'

interface Receiver extends HttpService {
  readonly received: Notification[]
  readonly requests: IncomingMessage[]
}

/** @param answer default: 204 */
async function startReceiver(answer: RequestListener = (_, response) => response.writeHead(204).end()) {
  const received: Notification[] = []
  const requests: IncomingMessage[] = []
  const service = await startHttpService((request, response) => {
    requests.push(request)
    const receive = async (): Promise<void> => {
      received.push((await json(request)) as Notification)
      answer(request, response)
    }
    void receive()
  })
  return Object.assign(service, { received, requests }) as Receiver
}

const abort = '{ fault: { proxy: shop, type: http_abort, attributes: { status: 503 } }, for: 300ms }'

describe('a run tells its webhooks', () => {
  test('that it starts, where it is, and what came of it', async () => {
    await using system = await startSystem()
    await using receiver = await startReceiver()
    const head = `notify: [{ url: "${receiver.url}/hook/secret", on: [started, phase, finished] }]`
    const experiment = await experimentOf(system.url, { failure: `[${abort}]`, head })
    const { journal } = await runExperiment(experiment, system.target)
    const [started, preparation, ...rest] = receiver.received
    const finished = rest.pop()
    expect(started).toMatchObject({ event: 'started', state: 'running', text: 'a test: started', outcome: null })
    expect(started).toMatchObject({ title: 'a test', id: journal.id, environment: 'default', atMs: preparation!.atMs })
    expect(Date.parse(started!.time)).toBeGreaterThanOrEqual(Date.parse(journal.startedAt))
    const phases = [preparation!, ...rest]
    expect(phases.map(({ event }) => event)).toEqual(journal.phases.map(() => 'phase'))
    expect(phases.map(({ phase }) => phase)).toEqual(journal.phases.map(({ name }) => name))
    expect(finished).toMatchObject({ state: 'ended', outcome: 'violated', text: 'a test: violated', phase: null })
    expect(finished?.verdicts).toEqual(journal.verdicts.map(({ slo, result, why }) => ({ slo, result, why })))
    expect(receiver.requests[0]?.headers['content-type']).toBe('application/json')
    expect([receiver.requests[0]?.method, receiver.requests[0]?.url]).toEqual(['POST', '/hook/secret'])
    // The path is the secret of many.
    expect(new Set(journal.notifications?.map(({ webhook }) => webhook))).toEqual(new Set([receiver.url]))
    expect(journal.notifications?.filter(({ error, attempts }) => error !== undefined || attempts > 1)).toEqual([])
  })

  test('that a limit of safety was breached, and why', async () => {
    await using system = await startSystem()
    await using receiver = await startReceiver()
    const safety = '{ abortWhen: [{ errorRate: "> 40%", over: 200ms, atLeast: 4 }] }'
    const failure = `[${abort.replace('300ms', '10s')}]`
    // As --notify has it: beside those of the file.
    const notify = [{ url: receiver.url, on: ['breached', 'stopped', 'finished'] as const }]
    const experiment = await experimentOf(system.url, { failure, safety })
    const { journal } = await runExperiment(experiment, system.target, { notify })
    expect(receiver.received.map(({ event, state, phase }) => [event, state, phase])).toEqual([
      ['breached', 'stopping', 'failure'],
      ['stopped', 'stopping', 'failure'],
      ['finished', 'ended', null],
    ])
    expect(receiver.received.map(({ reason }) => reason)).toEqual([journal.reason, journal.reason, journal.reason])
    expect(journal.reason).toMatch(/^errorRate > 40%/)
  })

  test('and waits for none that does not answer: not to revert, and not long to end', async () => {
    await using system = await startSystem()
    await using receiver = await startReceiver(() => undefined)
    const heard = new Heard()
    const interrupt = new AbortController()
    const experiment = await experimentOf(system.url, {
      failure: `[${abort.replace('300ms', '10s')}]`,
      head: `notify: [{ url: "${receiver.url}" }]`,
    })
    const run = runExperiment(experiment, system.target, { signal: interrupt.signal, onEvent: heard.onEvent })
    await heard.begun('fault')
    const beginMs = performance.now()
    interrupt.abort(new Error('enough'))
    const { journal } = await run
    // Promised is a second; the webhook would take 10.
    expect(heard.revertedAfterMs).toBeLessThan(1000)
    // Two seconds for what is under way, and what a busy machine adds; one attempt alone would take five.
    expect(performance.now() - beginMs).toBeLessThan(4000)
    expect(journal).toMatchObject({ outcome: 'aborted', reason: 'enough' })
    const error = 'no answer when the run was over'
    expect(journal.notifications).toEqual([
      { event: 'started', webhook: receiver.url, atMs: expect.any(Number), attempts: 1, error },
      { event: 'finished', webhook: receiver.url, atMs: journal.durationMs, attempts: 1, error },
    ])
    expect(heard.events.filter(({ kind }) => kind === 'notification')).toHaveLength(2)
  })
})

async function told(answer: RequestListener): Promise<[Receiver, readonly NotificationRecord[]]> {
  await using receiver = await startReceiver(answer)
  const notifier = new Notifier({
    webhooks: [{ url: receiver.url, on: ['breached', 'stopped'] }],
    run: { title: 'x', id: '1', environment: 'default' },
    wallTimeMs: () => 0,
    onRecord: () => undefined,
    timeoutMs: 200,
  })
  notifier.heard({ kind: 'breached', atMs: 1, reason: 'a' })
  notifier.heard({ kind: 'stopping', atMs: 2, reason: 'b' })
  return [receiver, await notifier.settle(false)]
}

describe('a webhook', () => {
  test('that fails for a moment is told once more, before it is told what came later', async () => {
    const statuses = [503, 200, 429, 500]
    const [{ received }, records] = await told((_, response) => response.writeHead(statuses.shift() ?? 200).end())
    expect(received.map(({ event }) => event)).toEqual(['breached', 'breached', 'stopped', 'stopped'])
    expect(records.map(({ attempts, error }) => [attempts, error])).toEqual([
      [2, undefined],
      [2, 'status 500, expected 200 to 299'],
    ])
  })

  test('that refuses is not asked again', async () => {
    const [{ received }, records] = await told((_, response) => response.writeHead(404).end('gone'))
    expect(received).toHaveLength(2)
    expect(records[0]).toMatchObject({ attempts: 1, error: 'status 404, expected 200 to 299' })
  })

  test('that leads elsewhere is not followed', async () => {
    const [{ received }, records] = await told((request, response) => {
      response.writeHead(307, { location: `http://${request.headers.host}/elsewhere` }).end()
    })
    expect(received).toHaveLength(2)
    expect(records[0]?.error).toBe('status 307, expected 200 to 299')
  })

  test('has so much time to answer', async () => {
    const [{ received }, records] = await told(() => undefined)
    expect(received).toHaveLength(4)
    expect(records[1]).toMatchObject({ attempts: 2, error: 'no answer in 200 ms' })
  })
})
