// A small system for experiments: a service behind a proxy of a network, probed through it.
import { parseExperiment } from '../../../experiments/file/load.ts'
import type { Experiment } from '../../../experiments/file/experiment.ts'
import { NetworkTarget } from '../../../experiments/runner/network-target.ts'
import type { RunEvent } from '../../../experiments/runner/run.ts'
import { Network } from '../../../proxy/index.ts'
import type { Stressors } from '../../../resource-stressors/index.ts'
import { startHttpService, type HttpService } from '../../support/http-service.ts'

export interface System extends AsyncDisposable {
  readonly network: Network
  readonly target: NetworkTarget
  /** Of the service, through the proxy `shop`. */
  readonly url: string
  /** Whether the service answers 200. */
  healthy: boolean
}

/** Proxies `shop`, `b`, `c` and `d`, so that one of them is a quarter. */
export async function startSystem(stressors?: Stressors): Promise<System> {
  const state = { healthy: true }
  const service = await startHttpService((_request, response) => {
    response.writeHead(state.healthy ? 200 : 500).end('hello')
  })
  const network = new Network({ seed: 1 })
  const shop = await createProxies(network, service)
  return {
    network,
    target: new NetworkTarget({ network, ...(stressors && { stressors }) }),
    url: `http://127.0.0.1:${shop}`,
    get healthy() {
      return state.healthy
    },
    set healthy(healthy: boolean) {
      state.healthy = healthy
    },
    async [Symbol.asyncDispose]() {
      await network.close()
      await service[Symbol.asyncDispose]()
    },
  }
}

async function createProxies(network: Network, service: HttpService): Promise<number> {
  const upstream = `127.0.0.1:${service.port}`
  const shop = await network.createProxy({ name: 'shop', upstream, protocol: 'http', from: 'client', to: 'shop' })
  for (const name of ['b', 'c', 'd']) {
    await network.createProxy({ name, upstream, from: `client-${name}`, to: name, enabled: name !== 'd' })
  }
  return shop.port ?? 0
}

export interface Parts {
  /** Steps of the failure phase, as in a file. */
  readonly failure: string
  readonly phases?: string
  readonly expect?: string
  readonly slo?: string
  readonly safety?: string
  readonly head?: string
}

/** Short phases, fifty probes a second, and thresholds that so few attempts can tell of. */
export function experimentOf(url: string, parts: Parts): Promise<Experiment> {
  return parseExperiment('test.yaml', textOf(url, parts), { environment: {} })
}

export function textOf(url: string, parts: Parts): string {
  const { failure, expect = '{}', slo = '{ errorRate: 20%, availability: 80% }', safety = '{}' } = parts
  const { phases = '', head = '' } = parts
  return `title: a test
seed: 1
${head}
steadyState:
  - { name: answers, http: { url: "${url}/health", timeout: 500ms }, rate: 50/s, expect: ${expect} }
slo: ${slo}
safety: ${safety}
phases:
  preparation: { atMost: 2s }
  baseline: { for: 400ms }
  failure: ${failure}
  recovery: { atMost: 1s, consecutive: 5 }
  validation: { attempts: 2, pause: 20ms, steps: [service_health_check] }
  ${phases}
`
}

/** Hears events of a run, and lets tests wait for one. */
export class Heard {
  readonly events: RunEvent[] = []
  readonly #waiters = new Set<() => void>()

  readonly onEvent = (event: RunEvent): void => {
    this.events.push(event)
    for (const waiter of this.#waiters) waiter()
  }

  /** The first that passes; the test's own timeout is the limit. */
  until<Found extends RunEvent>(passes: (event: RunEvent) => event is Found): Promise<Found> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.events.find(passes)
        if (!found) return
        this.#waiters.delete(look)
        resolve(found)
      }
      this.#waiters.add(look)
      look()
    })
  }

  /** When a step of this kind acts. */
  begun(kind: string): Promise<RunEvent> {
    return this.until(
      (event): event is Extract<RunEvent, { kind: 'step' }> => event.kind === 'step' && event.step.kind === kind,
    )
  }

  /** Milliseconds from the decision to stop until everything was reverted. */
  get revertedAfterMs(): number {
    const at = (kind: 'stopping' | 'reverted'): number =>
      this.events.flatMap((event) => (event.kind === kind ? [event.atMs] : []))[0] ?? Number.NaN
    return at('reverted') - at('stopping')
  }
}

/** Nothing of an experiment is there. */
export function remains(network: Network): unknown[] {
  const faults = [...network.proxies].flatMap((proxy) => [...proxy.faults].map(({ name }) => name))
  return [...faults, ...network.partitions.map(({ name }) => name), ...[...network.leases].map(({ id }) => id)]
}
