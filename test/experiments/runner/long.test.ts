// The promises of safety in numbers: how fast everything is reverted, and that nothing is left wherever a runner is killed.
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../../admin/index.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import { ServerTarget } from '../../../experiments/runner/server-target.ts'
import { startHttpService } from '../../support/http-service.ts'
import { isThere } from '../../support/stressors.ts'
import { TargetProcess } from '../../support/target-process.ts'
import { end, startRunner, untilNothingRemains } from './runner-process.ts'
import { experimentOf, Heard, remains, textOf } from './support.ts'

const isLong = process.env['FAULTLINE_LONG'] !== undefined
const BREACHES = 100
const KILLS = 200
/** Half of the default: a runner must not lose it to a machine that is busy for long. */
const LEASE_MS = 2500

const abort = '{ fault: { proxy: shop, type: http_abort, attributes: { status: 503 } }, for: 20s }'
const latency = '{ fault: { proxy: shop, type: latency, attributes: { latency: 5 } }, for: 20s, ramp: 10s }'

describe.runIf(isLong)('promises in numbers', () => {
  test(`${BREACHES} breaches: reverted below 1 s at the median, 5 s always`, { timeout: 600_000 }, async () => {
    await using service = await startHttpService((_request, response) => {
      response.end('hello')
    })
    const upstream = `127.0.0.1:${service.port}`
    const shop = { name: 'shop', upstream, protocol: 'http' as const, from: 'client', to: 'shop' }
    const server = await startAdminServer({
      port: 0,
      proxies: [shop, { name: 'b', upstream, from: 'client', to: 'b' }],
    })
    await using target = new ServerTarget({ url: server.url })
    const safety = '{ blastRadius: 100%, abortWhen: [{ errorRate: "> 50%", over: 100ms, atLeast: 2 }] }'
    const url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
    const times: number[] = []
    try {
      for (let breach = 0; breach < BREACHES; breach++) {
        await using victim = new TargetProcess()
        const hang = `{ process: { pid: ${victim.pid}, action: hang }, for: 20s }`
        const steps = [abort, hang, '{ partition: { groups: [[client], [b]] }, for: 20s }']
        // In every other run all of it acts when the breach comes; else the stressor is being started then.
        const failure = breach % 2 === 0 ? [abort.replace('{', '{ at: 500ms,'), ...steps.slice(1)] : steps
        const heard = new Heard()
        const experiment = await experimentOf(url, { failure: `[{ parallel: [${failure.join(', ')}] }]`, safety })
        const { journal } = await runExperiment(experiment, target, { onEvent: heard.onEvent })
        expect([journal.outcome, remains(server.network), server.stressors.list.length]).toEqual(['aborted', [], 0])
        expect([isThere(victim.pid), victim.isStopped]).toEqual([true, false])
        times.push(heard.revertedAfterMs)
      }
    } finally {
      await server.close()
    }
    times.sort((a, b) => a - b)
    tell('breaches, until everything was reverted', times)
    expect(times[BREACHES / 2]).toBeLessThan(1000)
    expect(times.at(-1)).toBeLessThan(5000)
  })

  test(`${KILLS} runners killed at random points leave nothing`, { timeout: 1_800_000 }, async () => {
    await using service = await startHttpService((_request, response) => {
      response.end('hello')
    })
    const shop = { name: 'shop', upstream: `127.0.0.1:${service.port}`, protocol: 'http' as const }
    const server = await startAdminServer({ port: 0, proxies: [shop] })
    const times: Record<string, number[]> = { SIGINT: [], SIGTERM: [], SIGKILL: [] }
    const counts = { killed: 0, acting: 0, lost: 0 }
    try {
      while (counts.killed < KILLS) {
        const signal = (['SIGINT', 'SIGTERM', 'SIGKILL'] as const)[counts.killed % 3] ?? 'SIGKILL'
        const killed = await killOne(server, signal, counts.killed % 2 === 0 ? 'phase' : 'fault')
        if (killed) {
          counts.killed++
          if (killed.isActing) counts.acting++
          times[signal]?.push(killed.goneAfterMs)
        } else counts.lost++
        // A busy machine may take a runner's lease now and then; that is reverted as well, but it is no kill.
        expect(counts.lost).toBeLessThanOrEqual(KILLS / 10)
      }
    } finally {
      await server.close()
    }
    for (const [signal, reverted] of Object.entries(times)) tell(`${signal}, until nothing was left`, reverted)
    process.stdout.write(`${counts.acting} while something acted; ${counts.lost} more had lost their lease before\n`)
    // Else they were killed too early, and had nothing to leave.
    expect(counts.acting).toBeGreaterThan(KILLS / 2)
    expect(Math.max(...Object.values(times).flat())).toBeLessThan(5000)
  })
})

interface Killed {
  readonly isActing: boolean
  readonly goneAfterMs: number
}

/**
 * Kills a runner within the time after its first such event, and waits until nothing is left.
 *
 * @param kind From its first phase on there are 0.4 s until something acts. Right when the fault acts the stressor is being
 * started; later both act, and the fault grows.
 * @returns undefined if it had ended by itself
 */
async function killOne(
  server: AdminServer,
  signal: NodeJS.Signals,
  kind: 'phase' | 'fault',
): Promise<Killed | undefined> {
  await using victim = new TargetProcess()
  const slow = `{ process: { pid: ${victim.pid}, action: slow }, for: 20s }`
  const url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
  const text = textOf(url, { failure: `[{ parallel: [${latency}, ${slow}] }]`, safety: '{ blastRadius: 100% }' })
  const runner = await startRunner(server, text, kind, LEASE_MS).catch((error: Error) => {
    if (error.message.includes('lease')) return undefined
    throw error
  })
  if (runner) await delay(randomInt(kind === 'phase' ? 800 : 500))
  const hasStopped = runner?.events.find((event) => event.kind === 'stopping')
  if (hasStopped) expect(JSON.stringify(hasStopped)).toContain('lease')
  const isActing = remains(server.network).length > 1
  const beginMs = performance.now()
  if (runner && runner.child.exitCode === null) await end(runner.child, signal)
  // A process that was told to end has reverted before; else the lease ends it.
  await untilNothingRemains(server.network, signal === 'SIGKILL' ? 5000 : 100)
  while (server.stressors.list.length > 0) await server.stressors.list[0]?.untilEnd()
  expect([isThere(victim.pid), victim.isStopped]).toEqual([true, false])
  return runner && !hasStopped ? { isActing, goneAfterMs: performance.now() - beginMs } : undefined
}

/** Shows what a promise was kept by. */
function tell(what: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b)
  const [median = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
  const figures = `median ${median.toFixed(1)} ms, at most ${most.toFixed(1)} ms`
  process.stdout.write(`${what}: ${times.length} times, ${figures}\n`)
}
