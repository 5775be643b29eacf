// Small parts by themselves: addresses, the clock, the injection log, validation.
import { Type } from '@sinclair/typebox'
import { describe, expect, test, vi } from 'vitest'
import { formatAddress, parseAddress } from '../../proxy/address.ts'
import { ManualClock, systemClock } from '../../proxy/clock.ts'
import { InjectionLog, type Injection } from '../../proxy/injection-log.ts'
import { nearest } from '../../proxy/nearest.ts'
import { validate } from '../../proxy/validate.ts'
import { version } from '../../proxy/version.ts'
import manifest from '../../package.json' with { type: 'json' }

test("the version is the package's", () => {
  expect(version).toBe(manifest.version)
})

describe('addresses', () => {
  test.each([
    ['localhost:80', { host: 'localhost', port: 80 }],
    [':8080', { host: '', port: 8080 }],
    ['[::1]:5432', { host: '::1', port: 5432 }],
    ['[::]:0', { host: '::', port: 0 }],
    ['10.0.0.1:65535', { host: '10.0.0.1', port: 65535 }],
  ])('%s is read, and written as it was', (text, address) => {
    expect(parseAddress(text, 'listen')).toEqual(address)
    expect(formatAddress(address.host, address.port)).toBe(text)
  })

  test.each([
    '',
    'host',
    'host:',
    'host:x',
    'host:-1',
    'host:65536',
    'host:1e3',
    '::1:80',
    '[::1]',
    'http://host:80',
    'host: 80',
  ])('%j is refused, naming the field', (text) => {
    expect(() => parseAddress(text, 'listen')).toThrow(
      expect.objectContaining({ code: 'invalid_address', field: 'listen' }),
    )
  })
})

describe('the manual clock', () => {
  test('runs timers in order of due time, also those set meanwhile, and only when moved', () => {
    const clock = new ManualClock()
    const ran: string[] = []
    clock.setTimer(() => ran.push(`b at ${clock.now()}`), 20)
    clock.setTimer(() => {
      ran.push(`a at ${clock.now()}`)
      clock.setTimer(() => ran.push(`c at ${clock.now()}`), 5)
    }, 10)
    const cancelled = clock.setTimer(() => ran.push('never'), 12)
    clock.clearTimer(cancelled)
    expect(ran).toEqual([])
    clock.advance(15)
    expect(ran).toEqual(['a at 10', 'c at 15'])
    clock.advance(100)
    expect(ran).toEqual(['a at 10', 'c at 15', 'b at 20'])
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('the system clock', () => {
  test('does not fire at once for a delay beyond 32 bits', async () => {
    const callback = vi.fn<() => void>()
    const timer = systemClock.setTimer(callback, 2 ** 40)
    await new Promise((resolve) => setTimeout(resolve, 20)) // Node would fire after 1 ms
    expect(callback).not.toHaveBeenCalled()
    systemClock.clearTimer(timer)
  })

  test('tells wall time by its monotonic one', () => {
    expect(Math.abs(systemClock.wallTimeMs() - Date.now())).toBeLessThan(1000)
  })
})

describe('the injection log', () => {
  const entry: Omit<Injection, 'sequence'> = {
    timeMs: 0,
    proxy: 'p',
    connection: 1,
    direction: 'upstream',
    fault: 'f',
    type: 't',
    action: 'a',
    detail: {},
  }

  test('keeps the latest, and counts all', () => {
    const log = new InjectionLog(3)
    for (let i = 0; i < 10; i++) log.append(entry)
    expect(log.entries().map(({ sequence }) => sequence)).toEqual([8, 9, 10])
    expect(log.entries({ since: 9 }).map(({ sequence }) => sequence)).toEqual([10])
    expect(log.total).toBe(10)
    expect([...log.counts()]).toEqual([{ proxy: 'p', type: 't', count: 10 }])
    log.forgetProxy('p')
    expect([...log.counts()]).toEqual([])
  })

  test('tells subscribers until they leave, and a failing one harms nobody', async () => {
    const log = new InjectionLog()
    const seen: number[] = []
    const failures: unknown[] = []
    const catchFailure = (error: unknown): void => void failures.push(error)
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', catchFailure)
    log.subscribe(() => {
      throw new Error('mine')
    })
    const leave = log.subscribe(({ sequence }) => seen.push(sequence))
    log.append(entry)
    expect(seen).toEqual([]) // not while bytes are on their way
    await new Promise((resolve) => setImmediate(resolve))
    leave()
    log.append(entry)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('uncaughtException', catchFailure)
    for (const listener of listeners) process.on('uncaughtException', listener)
    expect(seen).toEqual([1])
    expect(failures).toHaveLength(2)
  })
})

describe('validation', () => {
  const schema = Type.Object({
    count: Type.Integer({ default: 3, minimum: 0, maximum: 9 }),
    list: Type.Array(Type.String(), { default: [] }),
    mode: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
  })

  test('fills in defaults, into a copy that is nobody else’s', () => {
    const given = {}
    const first = validate(schema, given)
    expect(first).toEqual({ count: 3, list: [] })
    first.list.push('x')
    expect(validate(schema, given).list).toEqual([])
    expect(given).toEqual({})
  })

  test.each([
    [{ count: 10 }, 'thing.count: expected an integer from 0 to 9, got 10'],
    [{ count: null }, 'thing.count: expected an integer from 0 to 9, got null'],
    [{ list: {} }, 'thing.list: expected an array, got {}'],
    [{ list: [1] }, 'thing.list.0: expected a string, got 1'],
    [{ mode: 'c' }, 'thing.mode: expected "a" or "b", got "c"'],
    [{ cuont: 1 }, 'thing.cuont: unknown field (did you mean "count"?), expected one of count, list, mode'],
    [{ zzzzzz: 1 }, 'thing.zzzzzz: unknown field, expected one of count, list, mode'],
    [[], 'thing: expected an object, got []'],
    [null, 'thing: expected an object, got null'],
    ['x'.repeat(1000), `thing: expected an object, got "${'x'.repeat(56)}...`],
  ])('%j: %s', (value, message) => {
    expect(() => validate(schema, value, 'thing')).toThrow(message)
  })

  test('suggests what is at most two edits away', () => {
    expect(nearest('latncy', ['latency', 'bandwidth'])).toBe('latency')
    expect(nearest('nothing', ['latency', 'bandwidth'])).toBeUndefined()
    expect(nearest('x'.repeat(10_000), ['latency'])).toBeUndefined()
  })
})
