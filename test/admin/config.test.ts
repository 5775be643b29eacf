// The configuration file in Toxiproxy's JSON form.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig, startAdminServer } from '../../admin/index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-config-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function load(text: string): ReturnType<typeof loadConfig> {
  const path = join(folder, 'config.json')
  await writeFile(path, text)
  return loadConfig(path)
}

test('proxies come with their toxics, in place before the first connection', async () => {
  const { proxies, warnings } = await load(`[
    { "name": "a", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1",
      "toxics": [{ "type": "latency", "stream": "upstream", "toxicity": 0.5, "attributes": { "latency": 5 } }, { "type": "noop", "name": "n" }] },
    { "name": "b", "upstream": "127.0.0.1:1", "enabled": false }
  ]`)
  expect(warnings).toEqual([])
  const server = await startAdminServer({ port: 0, proxies })
  const answer = (await (await fetch(`${server.url}/proxies`)).json()) as object
  await server.close()
  expect(answer).toMatchObject({
    a: {
      enabled: true,
      toxics: [
        {
          name: 'latency_upstream',
          type: 'latency',
          stream: 'upstream',
          toxicity: 0.5,
          attributes: { latency: 5, jitter: 0 },
        },
        { name: 'n', type: 'noop', stream: 'downstream', toxicity: 1 },
      ],
    },
    b: { enabled: false, toxics: [] },
  })
})

test('fields that mean nothing are warned of, with a suggestion', async () => {
  const { warnings } = await load(
    '[{ "name": "a", "upstream": "x:1", "lisen": "x:1", "toxics": [{ "type": "noop", "note": 1 }] }]',
  )
  expect(warnings).toEqual([
    '[0].lisen: unknown field, ignored (did you mean "listen"?)',
    '[0].toxics[0].note: unknown field, ignored (did you mean "name"?)',
  ])
})

describe('a broken file is refused, saying where and what was expected', () => {
  const proxy = '"name": "a", "upstream": "x:1"'
  test.each([
    ['[{', /config\.json:1:3: expected JSON: Flow map/],
    ['[\n  { "name": }\n]', /config\.json:2:13: \[0\]\.name: expected a non-empty string, got null/],
    ['[5]', /config\.json:1:2: \[0\]: expected an object, got 5/],
    ['[{ "upstream": "x:1" }]', /\[0\]\.name: expected a non-empty string, got nothing/],
    ['[{ "name": "a" }]', /\[0\]\.upstream: expected a non-empty string, got nothing/],
    [`[{ ${proxy} }, { ${proxy} }]`, /\[1\]\.name: expected a name that is not taken, got "a"/],
    [`[{ ${proxy}, "listen": 8000 }]`, /\[0\]\.listen: expected a non-empty string, got 8000/],
    [`[{ ${proxy}, "enabled": "no" }]`, /\[0\]\.enabled: expected true or false, got "no"/],
    [`[{ ${proxy}, "toxics": {} }]`, /\[0\]\.toxics: expected an array of toxics, got {}/],
    [`[{ ${proxy}, "toxics": [{}] }]`, /\[0\]\.toxics\[0\]\.type: unknown fault type nothing, expected one of latency/],
    [
      `[{ ${proxy}, "toxics": [{ "type": "laten" }] }]`,
      /\[0\]\.toxics\[0\]\.type: unknown fault type "laten".*did you mean "latency"/,
    ],
    [
      `[{ ${proxy}, "toxics": [{ "type": "noop", "stream": "x" }] }]`,
      /toxics\[0\]\.direction: expected "upstream" or "downstream" or "both", got "x"/,
    ],
    [
      `[{ ${proxy}, "toxics": [{ "type": "noop", "toxicity": 7 }] }]`,
      /toxics\[0\]\.probability: expected a number from 0 to 1, got 7/,
    ],
    [
      `[{ ${proxy}, "toxics": [{ "type": "latency", "attributes": { "latency": "1s" } }] }]`,
      /config\.json:1:95: \[0\]\.toxics\[0\]\.attributes\.latency: expected an integer ≥ 0, got "1s"/,
    ],
  ])('%s', async (text, message) => {
    await expect(load(text)).rejects.toThrow(message)
  })

  test('a file that is not there', async () => {
    await expect(loadConfig(join(folder, 'none.json'))).rejects.toThrow(/config: expected a readable file, ENOENT/)
  })
})
