// The three ready hypotheses, shortened: each with a service that copes, and with one that does not.
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { NetworkTarget } from '../../../experiments/runner/network-target.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import type { Journal } from '../../../experiments/model.ts'
import { findScenario, type ParameterValues } from '../../../experiments/scenarios/index.ts'
import { Network } from '../../../proxy/index.ts'
import { startHttpService } from '../../support/http-service.ts'

/** Asks the dependency once. */
type Ask = () => Promise<boolean>

/** What a service makes of its dependency: whether its user is served. */
type Service = (ask: Ask) => Promise<boolean>

const naive: Service = (ask) => ask()

const retrying: Service = async (ask) => {
  for (let attempt = 0; attempt < 5; attempt++) if (await ask()) return true
  return false
}

/** Asks six times for one user, one after another. */
const chatty: Service = async (ask) => {
  for (let call = 0; call < 6; call++) if (!(await ask())) return false
  return true
}

/** Asks no more after three errors, and serves everybody something else. */
function withBreaker(): Service {
  let errors = 0
  return async (ask) => {
    if (errors >= 3) return true
    const isGood = await ask()
    if (!isGood) errors++
    return isGood
  }
}

const short = { BASELINE: '500ms', RECOVERY: '1s', RATE: '100/s', BLAST_RADIUS: '100%', PROXY: 'dependency' }

/** Runs a scenario on a service whose dependency is behind a proxy. */
async function run(name: string, serve: Service, values: ParameterValues): Promise<Journal> {
  await using dependency = await startHttpService((_request, response) => {
    response.end('data')
  })
  await using network = new Network({ seed: 5 })
  const upstream = `127.0.0.1:${dependency.port}`
  const proxy = await network.createProxy({ name: 'dependency', upstream, protocol: 'http' })
  const ask: Ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${proxy.port}`)
    await answer.text()
    return answer.ok
  }
  const answer = async (response: ServerResponse): Promise<void> => {
    response.writeHead((await serve(ask)) ? 200 : 502).end()
  }
  await using service = await startHttpService((_request, response) => void answer(response))
  const { experiment } = await findScenario(name).prepare({ ...short, ...values, TARGET: service.url })
  return (await runExperiment(experiment, new NetworkTarget({ network }))).journal
}

/** What the hypothesis itself came to, and whether any SLO was broken. */
function verdictOf({ verdicts, outcome }: Journal): unknown[] {
  return [verdicts.find(({ slo }) => slo.startsWith('service answers: '))?.result, outcome === 'violated']
}

describe.each<[string, ParameterValues, Service, Service]>([
  // Six calls of 150 ms take more than the 600 ms that an answer may. One has much time left: the machine may be busy.
  ['latency-stays-bearable', { DURATION: '1500ms', RATE: '60/s', LATENCY: '150', P95: '600ms' }, naive, chatty],
  // Of 30 %, five attempts leave 0.2 %.
  ['errors-are-retried', { DURATION: '1500ms', SHARE: '0.3', SUCCESS: '90%' }, retrying, naive],
  ['breaker-opens', { DURATION: '2s', WITHIN: '700ms', SHARE: '0.4', ERRORS: '10%' }, withBreaker(), naive],
])('%s', (name, values, copes, fails) => {
  test('is confirmed by a service that copes, and refuted by one that does not', async () => {
    const [confirmed, refuted] = await Promise.all([run(name, copes, values), run(name, fails, values)])
    expect(verdictOf(confirmed)).toEqual(['pass', false])
    expect(verdictOf(refuted)).toEqual(['fail', true])
  })
})
