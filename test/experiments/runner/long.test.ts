// The promises of safety in numbers: how fast everything is reverted, and that nothing is left wherever a runner is killed.
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startAdminServer } from '../../../admin/index.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import { startHttpService } from '../../support/http-service.ts'
import { TargetProcess } from '../../support/target-process.ts'
import { end, startRunner, untilNothingRemains } from './runner-process.ts'
import { experimentOf, Heard, remains, startSystem, textOf } from './support.ts'

const isLong = process.env['FAULTLINE_LONG'] !== undefined
const BREACHES = 100
const KILLS = 200

const abort = '{ fault: { proxy: shop, type: http_abort, attributes: { status: 503 } }, for: 20s }'
const latency = '{ fault: { proxy: shop, type: latency, attributes: { latency: 5 } }, for: 20s, ramp: 10s }'

describe.runIf(isLong)('promises in numbers', () => {
  test(`${BREACHES} breaches: reverted below 1 s at the median, 5 s always`, { timeout: 300_000 }, async () => {
    await using system = await startSystem()
    const safety = '{ blastRadius: 100%, abortWhen: [{ errorRate: "> 50%", over: 100ms, atLeast: 2 }] }'
    const failure = `[{ parallel: [${abort}, { fault: { proxy: b, type: noop }, for: 20s }] }]`
    const experiment = await experimentOf(system.url, { failure, safety })
    const times: number[] = []
    for (let breach = 0; breach < BREACHES; breach++) {
      const heard = new Heard()
      const { journal } = await runExperiment(experiment, system.target, { onEvent: heard.onEvent })
      expect([journal.outcome, remains(system.network)]).toEqual(['aborted', []])
      times.push(heard.revertedAfterMs)
    }
    times.sort((a, b) => a - b)
    expect(times[BREACHES / 2]).toBeLessThan(1000)
    expect(times.at(-1)).toBeLessThan(5000)
  })

  test(`${KILLS} runners killed at random points leave nothing`, { timeout: 1_800_000 }, async () => {
    await using service = await startHttpService((_request, response) => {
      response.end('hello')
    })
    const shop = { name: 'shop', upstream: `127.0.0.1:${service.port}`, protocol: 'http' as const }
    const server = await startAdminServer({ port: 0, proxies: [shop] })
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await using victim = new TargetProcess()
        const hang = `{ process: { pid: ${victim.pid}, action: slow }, for: 20s }`
        const url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
        const text = textOf(url, { failure: `[{ parallel: [${latency}, ${hang}] }]`, safety: '{ blastRadius: 100% }' })
        // Right when the fault acts the stressor is being started; later both act, and the fault grows.
        const { child } = await startRunner(server, text, 'fault')
        await delay(randomInt(500))
        const signal = (['SIGINT', 'SIGTERM', 'SIGKILL'] as const)[kill % 3] ?? 'SIGKILL'
        await end(child, signal)
        // The lease lasts a second; a process that was told to end has reverted before.
        await untilNothingRemains(server.network, signal === 'SIGKILL' ? 5000 : 100)
        while (server.stressors.list.length > 0) await server.stressors.list[0]?.untilEnd()
        expect(victim.isStopped).toBe(false)
      }
    } finally {
      await server.close()
    }
  })
})
