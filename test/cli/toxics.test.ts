// Attributes of toxics, checked before the server is asked: two types may share a name.
import { describe, expect, test } from 'vitest'
import { checkAttributes, describeToxics } from '../../cli/toxics.ts'

describe('attributes', () => {
  test.each<[string, string, number | boolean]>([
    ['latency', 'jitter', 5],
    ['latency', 'keepOrder', true], // of UDP only
    ['bandwidth', 'queueBytes', 100],
    ['drop', 'rate', 0.5],
    ['of-a-newer-server', 'anything', 1],
  ])('of %s may be %s', (type, name, value) => {
    expect(checkAttributes(type, [[name, value]])).toEqual({ [name]: value })
  })

  test.each<[string, string]>([
    ['latency', 'keepOrdr'],
    ['drop', 'share'],
    ['slicer', 'rate'],
  ])('of %s may not be %s', (type, name) => {
    expect(() => checkAttributes(type, [[name, 1]])).toThrow(`--attribute ${name}: unknown field`)
  })
})

test('the help has the types of both transports', () => {
  const [streams, datagrams] = describeToxics().split('On a proxy with protocol udp:')
  expect(streams).toContain('\n  slicer: ')
  expect(streams).not.toContain('\n  reorder: ')
  expect(datagrams).toContain('\n  reorder: ')
})
