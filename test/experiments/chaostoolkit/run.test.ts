// What of an experiment is done when, what its journal says, and its exit code: strict, and compatible.
import type http from 'node:http'
import { describe, expect, test } from 'vitest'
import { exitCodeOf, type ChaosJournal } from '../../../experiments/chaostoolkit/journal.ts'
import type { ReadOptions } from '../../../experiments/chaostoolkit/read.ts'
import type { RunOptions } from '../../../experiments/chaostoolkit/run.ts'
import { startHttpService } from '../../support/http-service.ts'
import { action, http as ask, probe, program, run, steady } from './support.ts'

type Parts = Readonly<Record<string, unknown>>

/**
 * A service whose health is set by requests: `POST /503` makes it answer 503. `GET /judged` is answered when its health
 * has been asked for once more, and `GET /when/201` a while after that has been set. It knows what it was asked.
 */
async function startService() {
  const asked: string[] = []
  const waiting = new Map<string, () => unknown>()
  let health = 200
  const answer: http.RequestListener = ({ method, url = '', socket }, response) => {
    if (url.startsWith('/when/') || url === '/judged') {
      const end = (): void => {
        asked.push(`answered ${url}`)
        response.end()
      }
      // A while later, so that who does not wait for it is seen to be too early.
      const endLater = (): unknown => setTimeout(end, 50)
      if (asked.includes(`POST ${url.replace('/when', '')}`)) endLater()
      else waiting.set(url, url === '/judged' ? () => response.end() : endLater)
      return
    }
    asked.push(`${method} ${url}`)
    if (method === 'POST') health = Number(url.slice(1))
    response.writeHead(url === '/health' ? health : 200).end()
    waiting.get(`/when${url}`)?.()
    // Who asks closes the connection when it has the answer.
    if (url === '/health') socket.once('close', () => waiting.get('/judged')?.())
  }
  const service = await startHttpService(answer)
  return Object.assign(service, {
    asked,
    isWell: probe('is well', ask(`${service.url}/health`), { tolerance: 200 }),
    set: (status: number) => action(`set ${status}`, ask(`${service.url}/${status}`, { method: 'POST' })),
    judged: probe('judged', ask(`${service.url}/judged`)),
  })
}

const ok = program('true')
const undo = action('undo', ok)

/** Strict, then compatible: status, deviated, exit code, whether rollbacks were played. */
async function both(parts: Parts, options: RunOptions & ReadOptions = {}) {
  const outcomes = []
  for (const compat of [{}, { compat: 'chaostoolkit' }] as const) {
    const journal = await run(parts, { ...options, ...compat })
    const { status, deviated, rollbacks } = journal
    outcomes.push([status, deviated, exitCodeOf(journal), rollbacks.length])
  }
  return outcomes
}

test('the journal has the fields of the original', async () => {
  await using service = await startService()
  const isWell = { ...service.isWell, pauses: { after: 0.01 } }
  const parts = {
    ...steady(isWell),
    method: [service.set(204), service.set(200)],
    rollbacks: [undo],
    secrets: { a: { b: 'c' } },
  }
  const journal = await run(parts)
  expect(Object.keys(journal)).toEqual([
    'chaoslib-version',
    'platform',
    'node',
    'experiment',
    'start',
    'status',
    'deviated',
    'steady_states',
    'run',
    'rollbacks',
    'end',
    'duration',
    'faultline',
  ])
  const times = { start: expect.stringMatching(/^\d{4}-.*Z$/), end: expect.any(String), duration: expect.any(Number) }
  const state = {
    steady_state_met: true,
    probes: [
      {
        activity: isWell,
        output: { status: 200, headers: expect.any(Object), body: '' },
        status: 'succeeded',
        tolerance_met: true,
        ...times,
      },
    ],
  }
  expect(journal).toMatchObject({
    'chaoslib-version': expect.stringMatching(/^faultline \d/),
    experiment: { title: 'A title', method: parts.method, secrets: { a: { b: '***' } } },
    status: 'completed',
    deviated: false,
    steady_states: { before: state, after: state, during: [] },
    run: [
      { activity: parts.method[0], output: { status: 200 }, status: 'succeeded', ...times },
      { status: 'succeeded' },
    ],
    rollbacks: [{ activity: undo, output: { status: 0, stdout: '', stderr: '' }, status: 'succeeded' }],
    faultline: { compat: null, notes: [], left: [], reverted: [] },
  })
  expect(JSON.parse(JSON.stringify(journal))).toEqual(journal)
  expect(exitCodeOf(journal)).toBe(0)
  expect(service.asked).toEqual(['GET /health', 'POST /204', 'POST /200', 'GET /health'])
})

describe('exit codes, strict and compatible', () => {
  test('a steady state that deviates', async () => {
    await using service = await startService()
    const parts = { ...steady(service.isWell), method: [service.set(503)], rollbacks: [service.set(200)] }
    expect(await both(parts)).toEqual([
      ['completed', true, 1, 1],
      ['completed', true, 1, 1],
    ])
  })

  test('a gate that does not hold: the method is not begun, and the original is content', async () => {
    await using service = await startService()
    const parts = { ...steady({ ...service.isWell, tolerance: 204 }), method: [service.set(503)], rollbacks: [undo] }
    expect(await both(parts)).toEqual([
      ['failed', false, 1, 0],
      ['completed', false, 0, 0],
    ])
    expect(service.asked).toEqual(['GET /health', 'GET /health'])
  })

  test('a gate that can not be asked', async () => {
    const unreachable = probe('a', ask('http://127.0.0.1:1/'), { tolerance: 200 })
    expect(await both({ ...steady(unreachable), rollbacks: [undo] })).toEqual([
      ['failed', false, 1, 0],
      ['failed', false, 1, 0],
    ])
  })

  test('a dip during the method that recovers: the original is content', async () => {
    await using service = await startService()
    const parts = {
      ...steady(service.isWell),
      method: [service.set(503), service.judged, service.set(200)],
      rollbacks: [undo],
      runtime: { hypothesis: { strategy: 'continuously' } },
    }
    const options = { strategy: { frequencySeconds: 0.02 } }
    expect(await both(parts, options)).toEqual([
      ['completed', true, 1, 1],
      ['completed', false, 0, 1],
    ])
    const { steady_states: states } = await run(parts, options)
    expect(states).toMatchObject({ before: { steady_state_met: true }, after: { steady_state_met: true } })
    expect(states.during.map(({ steady_state_met: isMet }) => isMet)).toContain(false)
  })

  test('an activity of the method that fails: on record, and no more', async () => {
    const parts = {
      method: [action('a', ask('http://127.0.0.1:1/')), action('b', program('false'))],
      rollbacks: [undo],
    }
    expect(await both(parts)).toEqual([
      ['completed', false, 0, 1],
      ['completed', false, 0, 1],
    ])
    const { run: runs, faultline } = await run(parts)
    expect(runs).toMatchObject([{ status: 'failed' }, { status: 'succeeded', output: { status: 1 } }])
    expect(faultline.notes).toEqual(['a of the method failed: failed to connect to http://127.0.0.1:1/: ECONNREFUSED'])
  })
})

test('a hypothesis ends with its first probe that does not hold', async () => {
  await using service = await startService()
  const wrong = { ...service.isWell, name: 'wrong', tolerance: [201, 202] }
  const { steady_states: states } = await run(steady(service.isWell, wrong, service.isWell))
  expect(states.before).toMatchObject({
    steady_state_met: false,
    probes: [{ tolerance_met: true }, { tolerance_met: false }],
  })
  expect(service.asked).toHaveLength(2)
})

/** What a script makes of the output of a probe. */
function judged(script: string): Parts {
  const tolerance = { type: 'probe', name: 't', provider: program('sh', { '-c': script }) }
  return steady(probe('it', program('printf', ['%s', '42']), { tolerance }))
}

test('a tolerance may be a probe, which has to succeed; any answer is a yes for the original', async () => {
  // The output is added as the argument `value`, as JSON.
  const isFine = judged(`test "$0 $1" = 'value {"status":0,"stdout":"42","stderr":""}'`)
  expect(await both(isFine)).toEqual([
    ['completed', false, 0, 0],
    ['completed', false, 0, 0],
  ])
  expect(await both(judged('exit 1'))).toEqual([
    ['failed', false, 1, 0],
    ['completed', false, 0, 0],
  ])
})

test('activities in the background run beside the others, and are waited for before the steady state', async () => {
  await using service = await startService()
  // It ends when the next activity has.
  const slow = probe('slow', ask(`${service.url}/when/200`), { background: true })
  const parts = { ...steady(service.isWell), method: [slow, service.set(200)] }
  const { run: runs } = await run(parts)
  expect(runs.map(({ activity }) => activity['name'])).toEqual(['slow', 'set 200'])
  expect(service.asked).toEqual(['GET /health', 'POST /200', 'answered /when/200', 'GET /health'])
})

function pausing(seconds: number): Parts {
  const pauses = { before: '${long}', after: seconds }
  return { configuration: { long: seconds }, method: [action('a', ok, { pauses })] }
}

test('pauses are made before and after, and not in a dry run', async () => {
  // Two pauses, as timers measure them.
  expect((await run(pausing(0.1))).duration).toBeGreaterThan(0.195)
  for (const dry of ['actions', 'activities', 'pause'] as const) {
    expect((await run(pausing(60), { dry })).duration).toBeLessThan(60)
  }
})

test('a dry run does what it is to leave out nowhere', async () => {
  await using service = await startService()
  const parts = { ...steady(service.isWell), method: [service.set(503)], rollbacks: [service.set(200)] }
  const dried = async (dry: RunOptions['dry'] & string): Promise<unknown[]> => {
    service.asked.length = 0
    const journal = await run(parts, { dry })
    expect(exitCodeOf(journal)).toBe(0)
    return [...service.asked]
  }
  expect(await dried('activities')).toEqual([])
  expect(await dried('actions')).toEqual(['GET /health', 'GET /health'])
  expect(await dried('probes')).toEqual(['POST /503', 'POST /200'])
})

describe('when the steady state is judged', () => {
  test.each([
    ['default', ['GET', 'POST', 'GET']],
    ['before-method-only', ['GET', 'POST']],
    ['after-method-only', ['POST', 'GET']],
  ] as const)('%s', async (hypothesis, expected) => {
    await using service = await startService()
    await run({ ...steady(service.isWell), method: [service.set(200)] }, { strategy: { hypothesis } })
    expect(service.asked.map((asked) => asked.split(' ')[0])).toEqual(expected)
  })

  test('during the method, and that ends it if so wished', async () => {
    await using service = await startService()
    const method = [service.set(503), service.judged, undo, undo]
    const parts = { ...steady(service.isWell), method, rollbacks: [service.set(200)] }
    const strategy = { hypothesis: 'during-method-only', frequencySeconds: 0.02 } as const
    const whole = await run(parts, { strategy })
    expect(whole).toMatchObject({ status: 'completed', deviated: true, steady_states: { before: null, after: null } })
    expect(whole.run).toHaveLength(4)
    const short = await run(parts, { strategy: { ...strategy, failFast: true } })
    expect(short).toMatchObject({ status: 'failed', deviated: true, rollbacks: [{ status: 'succeeded' }] })
    expect(short.run.length).toBeLessThan(4)
  })
})

describe('rollbacks', () => {
  test.each([
    ['default', 1, 1],
    ['always', 1, 1],
    ['never', 0, 0],
    ['deviated', 1, 0],
  ] as const)('%s: after a deviation, and without one', async (strategy, afterDeviation, without) => {
    await using service = await startService()
    const parts = (status: number): Parts => ({
      ...steady(service.isWell),
      method: [service.set(status)],
      rollbacks: [service.set(200)],
      runtime: { rollbacks: { strategy } },
    })
    expect((await run(parts(503))).rollbacks).toHaveLength(afterDeviation)
    await run({ method: [service.set(200)] })
    expect((await run(parts(200))).rollbacks).toHaveLength(without)
  })

  test('go on when one of them fails', async () => {
    const failing = action('failing', ask('http://127.0.0.1:1/'))
    const { rollbacks, faultline } = await run({ rollbacks: [failing, undo] })
    expect(rollbacks).toMatchObject([{ status: 'failed' }, { status: 'succeeded' }])
    expect(faultline.notes).toEqual(['the rollback failing failed: what it should take back may still be there'])
  })

  test('always: also when the gate did not hold', async () => {
    const gate = steady(probe('a', program('false'), { tolerance: 0 }))
    expect((await run({ ...gate, rollbacks: [undo] }, { strategy: { rollbacks: 'always' } })).rollbacks).toHaveLength(1)
  })
})

/** Aborts when the method has begun. */
async function interrupted(options: RunOptions): Promise<ChaosJournal & { readonly asked: readonly string[] }> {
  await using service = await startService()
  const stop = new AbortController()
  const begun = (message: string): void => {
    if (message === 'probe long') setTimeout(() => stop.abort(), 20)
  }
  const method = [service.set(503), probe('long', program('sleep', [60])), service.set(201)]
  const parts = { ...steady(service.isWell), method, rollbacks: [service.set(200)] }
  const journal = await run(parts, { ...options, signal: stop.signal, log: begun })
  return { ...journal, asked: service.asked }
}

describe('an interruption', () => {
  test('gives up what is under way, and plays the rollbacks', async () => {
    const journal = await interrupted({})
    expect(journal).toMatchObject({
      status: 'interrupted',
      steady_states: { before: { steady_state_met: true }, after: null },
      run: [{ status: 'succeeded' }, { status: 'failed', exception: ['interrupted'] }],
      rollbacks: [{ status: 'succeeded' }],
    })
    expect(journal.asked).toEqual(['GET /health', 'POST /503', 'POST /200'])
    expect(exitCodeOf(journal)).toBe(1)
  })

  test('plays none in the original, unless always', async () => {
    expect(await interrupted({ compat: 'chaostoolkit' })).toMatchObject({ status: 'interrupted', rollbacks: [] })
    const always = await interrupted({ compat: 'chaostoolkit', strategy: { rollbacks: 'always' } })
    expect(always).toMatchObject({ status: 'interrupted', rollbacks: [{ status: 'succeeded' }] })
  })

  test('before the method leaves it alone', async () => {
    await using service = await startService()
    const signal = AbortSignal.abort()
    const journal = await run({ ...steady(service.isWell), method: [service.set(503)], rollbacks: [undo] }, { signal })
    expect(journal).toMatchObject({ status: 'interrupted', run: [], rollbacks: [] })
    expect(service.asked).toEqual([])
  })
})
