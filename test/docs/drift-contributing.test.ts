// docs/contributing.md: its examples are files in drift/, and those do what they should.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Value } from '@sinclair/typebox/value'
import { ManualClock } from '../../proxy/index.ts'
import { Random } from '../../proxy/random.ts'
import { Machine } from '../../resource-stressors/machine/machine.ts'
import { ROOT } from '../cli/support.ts'
import { readSections, sectionOf } from '../support/docs-markdown.ts'
import { redis } from './drift/redis.ts'
import { shout } from './drift/shout.ts'
import { timers } from './drift/timers-definition.ts'
import { timersLoad } from './drift/timers-load.ts'

const sections = readSections(join(ROOT, 'docs', 'contributing.md'))

/** A block as it would be typed in here. */
function shown(title: string, path: string): string {
  const block = sectionOf(title, sections).blocks.find(({ note }) => note === path)
  return (block?.text ?? 'not there')
    .replaceAll("'./fault.ts'", "'../../../proxy/faults/fault.ts'")
    .replaceAll("'../protocol.ts'", "'../../../proxy/protocols/protocol.ts'")
    .replaceAll(/'\.\.\/\.\.\/(definition|child\/load)\.ts'/g, "'../../../resource-stressors/$1.ts'")
    .replaceAll("'./load.ts'", "'./timers-load.ts'")
}

test.each([
  ['A fault', 'proxy/faults/shout.ts', 'shout.ts'],
  ['A protocol', 'proxy/protocols/redis/redis.ts', 'redis.ts'],
  ['A stressor', 'resource-stressors/kinds/timers/definition.ts', 'timers-definition.ts'],
  ['A stressor', 'resource-stressors/kinds/timers/load.ts', 'timers-load.ts'],
])('%s: %s is the one that is tried here', (title, path, file) => {
  expect(shown(title, path)).toBe(readFileSync(join(import.meta.dirname, 'drift', file), 'utf8'))
})

test('the fault changes what it should, from where it should, on a copy, and says so', () => {
  const acts: unknown[] = []
  const stage = shout.create(
    { after: 4 },
    {
      clock: new ManualClock(),
      random: new Random(1, 'shout'),
      maxHeldBytes: 1000,
      direction: 'downstream',
      faultDirection: 'downstream',
      untouched: true,
      dialMs: 1,
      shared: (make) => make(),
      record: (action, detail = {}) => acts.push({ action, ...detail }),
      released: () => {},
      limitReached: () => {},
    },
  )
  const passed: string[] = []
  stage.next = {
    write: (chunk) => void passed.push(chunk.toString()),
    end: () => void passed.push('end'),
    close: () => {},
    reset: () => {},
  }
  stage.start()
  const lent = ['one', ' two', ' three'].map((text) => Buffer.from(text))
  for (const chunk of lent) stage.write(chunk)
  stage.end()
  expect(passed).toEqual(['one', ' TWO', ' THREE', 'end'])
  expect(lent.map(String)).toEqual(['one', ' two', ' three'])
  expect(acts).toEqual([
    { action: 'shout', bytes: 3 },
    { action: 'shout', bytes: 6 },
  ])
  expect(shout({ after: 4 })).toEqual({ type: 'shout', attributes: { after: 4 } })
  expect(Value.Check(shout.schema, { after: -1 })).toBe(false)
})

test("the protocol's option has a default", () => {
  expect(Value.Default(redis.options.strict, undefined)).toBe(false)
})

test('the stressor plans, acts as far as its ramp is, and gives all back', async () => {
  const { task, requested } = await timers.plan(
    { count: 10 },
    {
      machine: new Machine(),
      rampUpMs: 0,
      memoryFloorBytes: 0,
      diskFloorBytes: 0,
      threadsInUse: 0,
      ttlMs: 60_000,
      giveBackShareInUse: 0,
      field: (name) => name,
    },
  )
  expect(requested).toEqual({ timers: 10 })
  const running = await timersLoad.start(task, { startThread: () => Promise.reject(new Error('it needs none')) })
  running.ramp(0.5)
  expect(running.progress()).toMatchObject({ achieved: { timers: 5 } })
  running.ramp(1)
  expect(running.progress()).toMatchObject({ achieved: { timers: 10 } })
  await running.stop()
  expect(running.progress()).toMatchObject({ achieved: { timers: 0 } })
})
