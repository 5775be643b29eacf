// The functions of the toxiproxy extension, done to a network in this process and to a server over its API.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { V1Client } from '../../../admin/client/v1-client.ts'
import { startAdminServer } from '../../../admin/index.ts'
import { readChaosToolkit } from '../../../experiments/chaostoolkit/read.ts'
import type { ChaosTarget } from '../../../experiments/chaostoolkit/target.ts'
import { Network } from '../../../proxy/index.ts'
import { startHttpService, type HttpService } from '../../support/http-service.ts'
import { action, http, probe, program, read, run, shell, steady, toxi } from './support.ts'

type Parts = Readonly<Record<string, unknown>>

let network: Network
let service: HttpService
beforeEach(async () => {
  network = new Network({ seed: 1 })
  service = await startHttpService((_request, response) => response.end('x'.repeat(1000)))
  await network.createProxy({ name: 'web', upstream: `127.0.0.1:${service.port}` })
})
afterEach(async () => {
  await network.close()
  await service[Symbol.asyncDispose]()
})

const slow = { for_proxy: 'web', toxic_name: 'slow' }
const addSlow = action('slow', toxi('toxic.actions', 'create_latency_toxic', { ...slow, latency: 80, jitter: 5 }))
const removeSlow = action('remove', toxi('toxic.actions', 'delete_toxic', slow))

function on(toxicName: string): Parts {
  return { for_proxy: 'web', toxic_name: toxicName }
}

/** An action on the proxy that is not there at first. */
function named(func: string, rest: Parts = {}): Parts {
  return toxi('proxy.actions', func, { proxy_name: 'new', ...rest })
}

function attribute(name: string): Parts {
  return toxi('proxy.probes', 'get_proxy_attribute', { proxy_name: 'new', attribute: name })
}

/** What functions come to, one after the other. */
async function outputs(target: ChaosTarget, ...providers: readonly Parts[]): Promise<unknown[]> {
  const journal = await run({ method: providers.map((provider, index) => action(`a${index}`, provider)) }, { target })
  return journal.run.map(({ output, exception }) => exception ?? output)
}

describe.each(['in this process', 'over the API'])('%s', (where) => {
  let target: ChaosTarget
  let close: () => Promise<void>
  beforeEach(async () => {
    if (where === 'in this process') {
      target = network
      close = async () => {}
      return
    }
    await network.close()
    const server = await startAdminServer({ port: 0 })
    network = server.network
    await network.createProxy({ name: 'web', upstream: `127.0.0.1:${service.port}` })
    const client = new V1Client(server.url)
    target = client
    close = async () => {
      await client.close()
      await server.close()
    }
  })
  afterEach(() => close())

  test('toxics are faults of the same type, attributes and side', async () => {
    const made = await outputs(
      target,
      toxi('toxic.actions', 'create_latency_toxic', { ...on('a'), latency: 80, jitter: null }),
      toxi('toxic.actions', 'create_bandwith_degradation_toxic', { ...on('b'), rate: 7 }),
      toxi('toxic.actions', 'create_slow_connection_close_toxic', { ...on('c'), delay: 8 }),
      toxi('toxic.actions', 'create_timeout_toxic', { ...on('d'), timeout: 9 }),
      toxi('toxic.actions', 'create_slicer_toxic', { ...on('e'), average_size: 5, size_variation: 2, delay: 10 }),
      toxi('toxic.actions', 'create_limiter_toxic', { ...on('f'), bytes_limit: 11 }),
      toxi('toxic.actions', 'create_toxic', {
        ...on('g'),
        toxic_type: 'reset_peer',
        stream: 'upstream',
        toxicity: 0.5,
        attributes: { timeout: 12 },
      }),
    )
    expect(made).toEqual(Array.from({ length: 7 }, () => true))
    const faults = [...(network.proxy('web')?.faults ?? [])]
    expect(
      faults.map(({ name, type, direction, probability, attributes }) => [
        name,
        type,
        direction,
        probability,
        attributes,
      ]),
    ).toMatchObject([
      ['a', 'latency', 'downstream', 1, { latency: 80, jitter: 0 }],
      ['b', 'bandwidth', 'downstream', 1, { rate: 7 }],
      ['c', 'slow_close', 'downstream', 1, { delay: 8 }],
      ['d', 'timeout', 'downstream', 1, { timeout: 9 }],
      ['e', 'slicer', 'downstream', 1, { average_size: 5, size_variation: 2, delay: 10 }],
      ['f', 'limit_data', 'downstream', 1, { bytes: 11 }],
      ['g', 'reset_peer', 'upstream', 0.5, { timeout: 12 }],
    ])
    const again = await outputs(
      target,
      toxi('toxic.actions', 'create_timeout_toxic', { ...on('d'), timeout: 9 }),
      toxi('toxic.actions', 'create_timeout_toxic', { for_proxy: 'nowhere', toxic_name: 'd', timeout: 9 }),
      toxi('toxic.actions', 'delete_toxic', on('d')),
      toxi('toxic.actions', 'delete_toxic', on('d')),
      toxi('proxy.actions', 'reset'),
    )
    expect(again).toEqual([
      [expect.stringContaining('already')],
      [expect.stringContaining('nowhere')],
      true,
      false,
      true,
    ])
    expect([...(network.proxy('web')?.faults ?? [])]).toEqual([])
  })

  test('proxies are created, changed, asked about and removed', async () => {
    const exists = toxi('proxy.probes', 'proxy_exist', { proxy_name: 'new' })
    const seen = await outputs(
      target,
      exists,
      named('create_proxy', { upstream_host: '127.0.0.1', upstream_port: service.port, listen_host: '127.0.0.1' }),
      exists,
      http('http://127.0.0.1:${new_PORT}/'),
      program('printenv', ['new_PORT']),
      attribute('listen'),
      attribute('upstream'),
      named('disable_proxy'),
      attribute('enabled'),
      named('enable_proxy'),
      named('modify_proxy', { upstream_address: '127.0.0.1:1' }),
      attribute('upstream'),
      attribute('toxics'),
      attribute('colour'),
      named('delete_proxy'),
      attribute('listen'),
      named('delete_proxy'),
    )
    const port = expect.stringMatching(/^\d+\n$/)
    expect(seen).toEqual([
      false,
      true,
      true,
      expect.objectContaining({ status: 200 }),
      { status: 0, stdout: port, stderr: '' },
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      `127.0.0.1:${service.port}`,
      true,
      false,
      true,
      true,
      '127.0.0.1:1',
      [],
      ['a proxy has no colour, but name, listen, upstream, enabled, toxics'],
      null,
      null,
      [expect.stringContaining('new')],
    ])
  })

  test('a rollback takes back what the method did, and the steady state sees it', async () => {
    const port = network.proxy('web')?.port
    const whole = probe('whole', http(`http://127.0.0.1:${port}/`), { tolerance: 200 })
    const cut = action('cut', toxi('toxic.actions', 'create_limiter_toxic', { ...slow, bytes_limit: 10 }))
    const parts = { ...steady(whole), method: [cut], rollbacks: [removeSlow] }
    const journal = await run(parts, { target })
    expect(journal).toMatchObject({
      deviated: true,
      steady_states: {
        before: { steady_state_met: true },
        after: { probes: [{ exception: [expect.stringContaining('failed to connect')] }] },
      },
      run: [{ output: true }],
      rollbacks: [{ output: true }],
      faultline: { left: [], reverted: [] },
    })
    expect([...(network.proxy('web')?.faults ?? [])]).toEqual([])
  })
})

test('arguments have the values of the moment', async () => {
  const values = { configuration: { port: service.port, ms: { type: 'env', key: 'LATENCY', env_var_type: 'int' } } }
  const create = {
    proxy_name: 'api',
    upstream_host: 'env:UPSTREAM',
    upstream_port: '${port}',
    listen_host: '127.0.0.1',
  }
  const parts = {
    ...values,
    method: [
      action('create', toxi('proxy.actions', 'create_proxy', create)),
      action(
        'move',
        toxi('proxy.actions', 'create_proxy', {
          ...create,
          proxy_name: 'second',
          upstream_host: '127.0.0.1',
          upstream_port: '${api_PORT}',
        }),
      ),
      action(
        'slow',
        toxi('toxic.actions', 'create_latency_toxic', { for_proxy: 'api', toxic_name: 't', latency: '${ms}' }),
      ),
      probe('ask', http('http://127.0.0.1:${second_PORT}/')),
    ],
  }
  process.env['UPSTREAM'] = '127.0.0.1'
  try {
    const journal = await run(parts, { target: network, environment: { LATENCY: '3' } })
    expect(journal.run.map(({ exception }) => exception)).toEqual([undefined, undefined, undefined, undefined])
  } finally {
    delete process.env['UPSTREAM']
  }
  expect([...(network.proxy('api')?.faults ?? [])]).toMatchObject([{ name: 't', attributes: { latency: 3 } }])
  expect(network.proxy('second')?.upstream).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(JSON.stringify(read(parts, { environment: { LATENCY: '3' } }).warnings)).toBe('[]')
})

test('what nobody takes back is told', async () => {
  const { faultline, status } = await run({ method: [addSlow] }, { target: network })
  expect({ status, ...faultline }).toMatchObject({ status: 'completed', left: ['toxic slow on web'], reverted: [] })
})

describe('what an interrupted run has done', () => {
  const method = [
    addSlow,
    action('off', toxi('proxy.actions', 'disable_proxy', { proxy_name: 'web' })),
    action(
      'new',
      toxi('proxy.actions', 'create_proxy', {
        proxy_name: 'new',
        upstream_host: 'x',
        upstream_port: 1,
        listen_host: '127.0.0.1',
      }),
    ),
    probe('long', program('sleep', [60])),
  ]

  async function interrupt(rest: Parts, options: Parameters<typeof run>[1] = {}) {
    const stop = new AbortController()
    const log = (message: string): void => {
      if (message === 'probe long') setTimeout(() => stop.abort(), 0)
    }
    return run({ method, ...rest }, { target: network, signal: stop.signal, log, ...options })
  }

  test('is taken back, the latest first, as far as rollbacks have left it', async () => {
    const { status, faultline } = await interrupt({ rollbacks: [removeSlow] })
    expect({ status, ...faultline }).toMatchObject({
      status: 'interrupted',
      reverted: ['proxy new', 'enabled of proxy web'],
      left: [],
    })
    expect([...network.proxies].map(({ name, enabled, faults }) => [name, enabled, [...faults]])).toEqual([
      ['web', true, []],
    ])
  })

  test('stays if rollbacks are never wanted, and with the original', async () => {
    const left = ['toxic slow on web', 'enabled of proxy web', 'proxy new']
    const first = await interrupt({}, { strategy: { rollbacks: 'never' } })
    expect(first.faultline).toMatchObject({ left, reverted: [] })
    await network.reset()
    await network.removeProxy('new')
    const second = await interrupt({ rollbacks: [removeSlow] }, { compat: 'chaostoolkit' })
    expect(second.faultline).toMatchObject({ left, reverted: [] })
  })
})

test('without a target nothing begins', async () => {
  const parts = { method: [shell('exit 1'), addSlow].map((each, index) => (index === 0 ? action('a', each) : each)) }
  await expect(run(parts)).rejects.toThrow(
    'target: missing, expected a server or network, as the experiment acts on proxies',
  )
  const dry = await run(parts, { dry: 'activities' })
  expect(dry.run).toMatchObject([{ output: null }, { output: null }])
})

test('the extension of before 0.1 was called toxiproxy', () => {
  const provider = { ...(removeSlow['provider'] as object), module: 'toxiproxy.toxic.actions' }
  expect(
    readChaosToolkit(JSON.stringify({ title: 't', description: 'd', method: [action('a', provider as Parts)] })).method,
  ).toHaveLength(1)
})
