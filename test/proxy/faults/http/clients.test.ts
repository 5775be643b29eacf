// What real clients make of each fault: undici's fetch and Node's http, each with its own parser and pool.
import http from 'node:http'
import { Agent, fetch } from 'undici'
import { expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { BODY, framings, startHttp, type Framing } from '../../../support/http-faults.ts'

/** `200 <body>`, or the code of the error that the application sees. */
type Outcome = string

async function undiciGet(url: string, agent: Agent): Promise<Outcome> {
  try {
    const response = await fetch(url, { dispatcher: agent })
    return `${response.status} ${await response.text()}`
  } catch (error) {
    const { cause } = error as { cause?: { code?: string; name?: string } }
    return cause?.code ?? cause?.name ?? String(error)
  }
}

function nodeGet(url: string, agent: http.Agent): Promise<Outcome> {
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) => resolve(error.code ?? String(error))
    const request = http.get(url, { agent }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
      response.on('error', fail)
    })
    request.on('error', fail)
  })
}

interface Case extends FaultSpec {
  readonly framing: Framing
  readonly undici: Outcome
  readonly node: Outcome
}

/** Both see the same. */
const both = (outcome: Outcome) => ({ undici: outcome, node: outcome })

const HALF = BODY.slice(0, 89)

const cases: Case[] = []
for (const framing of framings) {
  const of = (type: string, attributes: object = {}) => ({
    type,
    attributes: attributes as Record<string, unknown>,
    framing,
  })
  // undici takes an RST for the end of a body that ends with the connection.
  const resetBehind = (body: string) => ({
    undici: framing === 'close' ? `200 ${body}` : 'ECONNRESET',
    node: 'ECONNRESET',
  })
  cases.push(
    { ...of('http_delay', { delayMs: 5 }), ...both(`200 ${BODY}`) },
    { ...of('http_delay', { delayMs: 5, phase: 'response' }), ...both(`200 ${BODY}`) },
    { ...of('http_abort', { status: 418, body: { short: true } }), ...both('418 {"short":true}') },
    { ...of('http_rate_limit', { limit: 0, body: 'enough' }), ...both('429 enough') },
    { ...of('http_slow_headers', { durationMs: 20 }), ...both(`200 ${BODY}`) },
    { ...of('http_slow_body', { chunks: 7, durationMs: 20 }), ...both(`200 ${BODY}`) },
    { ...of('http_corrupt', { text: 'oh' }), ...both('200 oh') },
    { ...of('http_headers', { set: { Server: 'x' } }), ...both(`200 ${BODY}`) },
    { ...of('http_status', { status: 500 }), ...both(`500 ${BODY}`) },
    { ...of('http_status', { status: 204 }), ...both('204 ') },
    { ...of('http_duplicate'), ...both(`200 ${BODY}`) },
    { ...of('http_reset'), ...both('ECONNRESET') },
    { ...of('http_reset', { when: 'before_headers' }), ...both('ECONNRESET') },
    { ...of('http_reset', { when: 'after_headers' }), ...resetBehind('') },
    { ...of('http_reset', { when: 'mid_body' }), ...resetBehind(HALF) },
    { ...of('http_reset', { when: 'before_headers', mode: 'fin' }), undici: 'UND_ERR_SOCKET', node: 'ECONNRESET' },
    framing === 'close'
      ? { ...of('http_truncate'), ...both(`200 ${HALF}`) }
      : { ...of('http_truncate'), undici: 'UND_ERR_SOCKET', node: 'ECONNRESET' },
    { ...of('http_truncate', { mode: 'rst' }), ...resetBehind(HALF) },
    { ...of('http_malformed', { kind: 'chunk' }), undici: 'HTTPParserError', node: 'HPE_INVALID_CHUNK_SIZE' },
    { ...of('http_malformed', { kind: 'status_line' }), undici: 'HTTPParserError', node: 'HPE_INVALID_STATUS' },
    {
      ...of('http_malformed', { kind: 'header' }),
      // undici compares lengths before it looks at why parsing has stopped.
      undici: framing === 'length' ? 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' : 'HTTPParserError',
      node: 'HPE_INVALID_HEADER_TOKEN',
    },
    { ...of('http_malformed', { kind: 'garbage' }), undici: 'HTTPParserError', node: 'HPE_INVALID_CONSTANT' },
  )
}

test.each(cases)('$type $attributes, body of kind $framing', async ({ framing, undici, node, ...spec }) => {
  await using proxied = await startHttp([spec])
  const url = `${proxied.url}/${framing}`
  const undiciAgent = new Agent({ connections: 1 })
  const nodeAgent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  try {
    expect([await undiciGet(url, undiciAgent), await nodeGet(url, nodeAgent)]).toEqual([undici, node])
    // Healed, both get on, whatever their pools have kept.
    proxied.network.heal()
    expect([await undiciGet(url, undiciAgent), await nodeGet(url, nodeAgent)]).toEqual([`200 ${BODY}`, `200 ${BODY}`])
  } finally {
    await undiciAgent.destroy()
    nodeAgent.destroy()
  }
})
