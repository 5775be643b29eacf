// What can't work is refused when it is added, naming the field; what is left out has a default.
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  faultTypes,
  type FaultlineError,
  findFaultDefinition,
  InstalledFault,
  Network,
  type FaultSpec,
} from '../../../../proxy/index.ts'
import { startHttp } from '../../../support/http-faults.ts'

type Attributes = Record<string, unknown>

function errorOf(spec: FaultSpec): FaultlineError {
  try {
    InstalledFault.fromSpec(spec)
  } catch (error) {
    return error as FaultlineError
  }
  throw new Error(`${JSON.stringify(spec)} has not been refused`)
}

/** A value that each type must refuse, and the field that it must name. */
const refused: [type: string, attributes: Attributes, field: string][] = [
  ['http_delay', {}, 'delayMs'],
  ['http_delay', { delayMs: -1 }, 'delayMs'],
  ['http_delay', { delayMs: 3_600_001 }, 'delayMs'],
  ['http_delay', { delayMs: 1, phase: 'both' }, 'phase'],
  ['http_delay', { delayMs: 1, distribution: 'gamma' }, 'distribution'],
  ['http_delay', { delayMs: 1, jitterMs: 1, distribution: 'lognormal' }, 'jitterMs'],
  ['http_delay', { delayMs: 1, jitterMs: 1, distribution: 'pareto' }, 'jitterMs'],
  ['http_delay', { delayMs: 1, distribution: 'pareto', shape: 0 }, 'shape'],
  ['http_delay', { delayMs: 1, distribution: 'lognormal', sigma: 11 }, 'sigma'],

  ['http_abort', { status: 99 }, 'status'],
  ['http_abort', { status: 100 }, 'status'],
  ['http_abort', { status: 600 }, 'status'],
  ['http_abort', { status: '503' }, 'status'],
  ['http_abort', { reason: 'No\r\nX: y' }, 'reason'],
  ['http_abort', { headers: { 'X-A': 'b\r\nX-C: d' } }, 'headers.X-A'],
  ['http_abort', { headers: { 'X-A': 'b\nX-C: d' } }, 'headers.X-A'],
  ['http_abort', { headers: { 'X-A': ['b', 'c\0'] } }, 'headers.X-A'],
  // Written in Latin-1 it would become a line end: U+010A ends in 0A.
  ['http_abort', { headers: { 'X-A': '\u010aX-C: d' } }, 'headers.X-A'],
  ['http_abort', { headers: { 'X A': 'b' } }, 'headers.X A'],
  ['http_abort', { headers: { 'X:': 'b' } }, 'headers.X:'],
  ['http_abort', { headers: { '': 'b' } }, 'headers.'],
  ['http_abort', { headers: { 'X-A': 1 } }, 'headers.X-A'],
  ['http_abort', { headers: { 'content-length': '5' } }, 'headers.content-length'],
  ['http_abort', { headers: { 'Transfer-Encoding': 'chunked' } }, 'headers.Transfer-Encoding'],
  ['http_abort', { body: 'x', bodyFile: 'y' }, 'bodyFile'],
  ['http_abort', { body: 'x', status: 204 }, 'body'],
  ['http_abort', { body: () => 'x' }, 'body'],
  ['http_abort', { bodyFile: 'x' }, 'bodyFile'],

  ['http_rate_limit', {}, 'limit'],
  ['http_rate_limit', { limit: -1 }, 'limit'],
  ['http_rate_limit', { limit: 1, windowMs: 0 }, 'windowMs'],
  ['http_rate_limit', { limit: 1, keyHeader: 'a b' }, 'keyHeader'],
  ['http_rate_limit', { limit: 1, status: 199 }, 'status'],
  ['http_rate_limit', { limit: 1, status: 304, body: 'x' }, 'body'],

  ['http_reset', { when: 'later' }, 'when'],
  ['http_reset', { mode: 'syn' }, 'mode'],
  ['http_reset', { when: 'mid_body', fraction: 2 }, 'fraction'],
  ['http_reset', { when: 'mid_body', fraction: 0.1, afterBytes: 1 }, 'fraction'],
  ['http_reset', { when: 'mid_body', afterBytes: 1.5 }, 'afterBytes'],
  ['http_reset', { when: 'before_headers', afterBytes: 1 }, 'afterBytes'],

  ['http_hang', { phase: 'never' }, 'phase'],
  ['http_slow_headers', { delayMs: 1, durationMs: 1 }, 'durationMs'],
  ['http_slow_headers', { delayMs: -1 }, 'delayMs'],
  ['http_slow_body', { rateBytesPerSecond: 0 }, 'rateBytesPerSecond'],
  ['http_slow_body', { rateBytesPerSecond: 1, chunks: 1 }, 'chunks'],
  ['http_slow_body', { rateBytesPerSecond: 1, durationMs: 1 }, 'durationMs'],
  ['http_slow_body', { chunks: 1 }, 'durationMs'],
  ['http_slow_body', { durationMs: 1 }, 'chunks'],
  ['http_slow_body', { chunks: 0, durationMs: 1 }, 'chunks'],

  ['http_truncate', { fraction: -0.1 }, 'fraction'],
  ['http_truncate', { fraction: 0.1, afterBytes: 1 }, 'fraction'],
  ['http_truncate', { mode: 'end' }, 'mode'],

  ['http_corrupt', {}, 'rate'],
  ['http_corrupt', { rate: 2 }, 'rate'],
  ['http_corrupt', { rate: 0.1, text: 'x' }, 'text'],
  ['http_corrupt', { replace: { find: '', with: 'x' } }, 'replace.find'],
  ['http_corrupt', { replace: { find: 'x' } }, 'replace.with'],
  ['http_corrupt', { replace: { find: 'x', with: 'y', width: 1 } }, 'replace.width'],
  ['http_corrupt', { jsonPatch: [] }, 'jsonPatch'],
  ['http_corrupt', { jsonPatch: [{ op: 'change', path: '/a' }] }, 'jsonPatch.0.op'],
  ['http_corrupt', { jsonPatch: [{ op: 'remove', path: 'a' }] }, 'jsonPatch.0.path'],
  ['http_corrupt', { jsonPatch: [{ op: 'remove', path: '/a~2' }] }, 'jsonPatch.0.path'],
  [
    'http_corrupt',
    {
      jsonPatch: [
        { op: 'remove', path: '/a' },
        { op: 'add', path: '/a' },
      ],
    },
    'jsonPatch.1.value',
  ],
  ['http_corrupt', { jsonPatch: [{ op: 'move', path: '/a' }] }, 'jsonPatch.0.from'],
  ['http_corrupt', { jsonPatch: [{ op: 'copy', path: '/a', from: 'b' }] }, 'jsonPatch.0.from'],

  ['http_malformed', {}, 'kind'],
  ['http_malformed', { kind: 'nice' }, 'kind'],

  ['http_headers', {}, 'set'],
  ['http_headers', { set: { 'X-A': 'b\r' } }, 'set.X-A'],
  ['http_headers', { add: { 'Content-Length': '1' } }, 'add.Content-Length'],
  ['http_headers', { remove: ['X-A', 'transfer-encoding'] }, 'remove.1'],
  ['http_headers', { remove: ['X A'] }, 'remove.0'],

  ['http_status', { status: 199 }, 'status'],
  ['http_status', { reason: '\u0000' }, 'reason'],
  ['http_keepalive_kill', { mode: 'now' }, 'mode'],
  ['http_duplicate', { times: 3 }, 'times'],
]

test.each(refused)('%s refuses %j and names %s', (type, attributes, field) => {
  const error = errorOf({ type, attributes })
  expect(error.field).toBe(`attributes.${field}`)
  expect(error.message.startsWith(`attributes.${field}: `)).toBe(true)
  expect(['invalid_value', 'missing_field', 'unknown_field']).toContain(error.code)
})

test('the list has every fault that has attributes to refuse', () => {
  const listed = new Set(refused.map(([type]) => type))
  expect(faultTypes().filter((type) => type.startsWith('http_') && !listed.has(type))).toEqual([])
})

test('a header that frames the body is refused with what to use instead', () => {
  const error = errorOf({ type: 'http_headers', attributes: { set: { 'Content-Length': '9' } } })
  expect(error.message).toContain('http_malformed')
})

test('a refused change leaves the fault as it was', async () => {
  await using network = new Network()
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: '127.0.0.1:1', enabled: false })
  const fault = proxy.addFault({ type: 'http_abort', attributes: { status: 500 } })
  expect(() => proxy.updateFault(fault.name, { attributes: { status: 700 } })).toThrow('attributes.status')
  expect(fault.attributes['status']).toBe(500)
})

describe('every attribute', () => {
  const all = faultTypes()
    .filter((type) => type.startsWith('http_'))
    .flatMap((type) => {
      const schema = findFaultDefinition(type)?.schema as unknown as { properties: Record<string, Attributes> }
      return Object.entries(schema.properties).map(([name, property]) => ({ type, name, schema: property }))
    })

  test.each(all)('$type $name is described', ({ schema }) => {
    expect(schema['description']).toMatch(/.{10}/)
  })

  test.each(all.filter(({ schema }) => schema['type'] === 'integer' || schema['type'] === 'number'))(
    '$type $name is bounded',
    ({ schema }) => {
      expect(schema['minimum']).toBeDefined()
      expect(schema['maximum']).toBeDefined()
    },
  )
})

describe('bodyFile', () => {
  const directory = mkdtempSync(join(tmpdir(), 'http-faults-'))
  const outside = mkdtempSync(join(tmpdir(), 'http-faults-outside-'))
  writeFileSync(join(directory, 'answer.bin'), Buffer.from([0, 255, 10]))
  writeFileSync(join(outside, 'secret'), 'secret')

  test.each(['missing', `../${outside.split('/').at(-1)}/secret`, join(outside, 'secret')])(
    'is refused if it is %s',
    async (bodyFile) => {
      await using network = new Network({ filesDirectory: directory })
      const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: '127.0.0.1:1', enabled: false })
      const add = () => proxy.addFault({ type: 'http_abort', attributes: { bodyFile } })
      expect(add).toThrow('attributes.bodyFile')
    },
  )

  test('is taken from the directory of files', async () => {
    const fault = { type: 'http_abort', attributes: { bodyFile: 'answer.bin' } }
    await using proxied = await startHttp([fault], { filesDirectory: directory })
    const answer = await fetch(proxied.url)
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from([0, 255, 10]))
    rmSync(directory, { recursive: true })
    rmSync(outside, { recursive: true })
  })
})
