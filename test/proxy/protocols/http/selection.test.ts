// Which of the messages that match are acted on: exact counts.
import { describe, expect, test } from 'vitest'
import { Random } from '../../../../proxy/random.ts'
import { Selection, type SelectionSettings } from '../../../../proxy/selection.ts'

const all: SelectionSettings = { probability: 1, skip: 0, times: undefined, every: 1, key: undefined }
const neverDraws = (): number => {
  throw new Error('drawn without need')
}

/** Numbers, from 1, of the messages that are acted on. */
function actedOn(
  settings: Partial<SelectionSettings>,
  messages: number,
  draw: (number: number) => number = neverDraws,
) {
  const selection = new Selection()
  const numbers = Array.from({ length: messages }, (_, index) => index + 1)
  return numbers.filter((number) => selection.select({ ...all, ...settings }, '', () => draw(number)))
}

function choose(seed: number): number[] {
  const random = new Random(seed, 'p')
  return actedOn({ probability: 0.3 }, 1000, (number) => random.at(number))
}

describe('without a key', () => {
  test.each<[Partial<SelectionSettings>, number[]]>([
    [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ skip: 3 }, [4, 5, 6, 7, 8, 9, 10]],
    [{ skip: 10 }, []],
    [{ times: 2 }, [1, 2]],
    [{ every: 3 }, [3, 6, 9]],
    [{ skip: 2, times: 3 }, [3, 4, 5]],
    [{ skip: 1, every: 2 }, [3, 5, 7, 9]],
    [{ skip: 1, every: 3, times: 2 }, [4, 7]],
    [{ every: 11 }, []],
  ])('%j', (settings, numbers) => {
    expect(actedOn(settings, 10)).toEqual(numbers)
  })

  test('a probability of 0 never acts, and uses up no times', () => {
    const selection = new Selection()
    for (let count = 0; count < 5; count++)
      expect(selection.select({ ...all, probability: 0 }, '', () => 0)).toBe(false)
    expect(selection.select({ ...all, times: 1 }, '', neverDraws)).toBe(true)
    expect(selection.select({ ...all, times: 1 }, '', neverDraws)).toBe(false)
  })

  test('a probability is drawn only for messages that skip and every leave, and times counts acts', () => {
    const drawn: number[] = []
    const draws = [0.9, 0.2, 0.4999, 0.5, 0.1, 0.1]
    const acted = actedOn({ probability: 0.5, skip: 2, every: 2, times: 3 }, 20, (number) => {
      drawn.push(number)
      return draws[drawn.length - 1] ?? 0
    })
    expect(drawn).toEqual([4, 6, 8, 10, 12])
    expect(acted).toEqual([6, 8, 12])
  })

  test('a probability with a seed chooses the same ones again', () => {
    expect(choose(7)).toEqual(choose(7))
    expect(choose(7)).not.toEqual(choose(8))
    // 300 ± 4 standard deviations of a binomial distribution, and the seed is fixed.
    expect(choose(7).length).toBeGreaterThan(242)
    expect(choose(7).length).toBeLessThan(358)
  })

  test('counts go on when settings change', () => {
    const selection = new Selection()
    const twice = { ...all, times: 2 }
    expect([1, 2, 3].map(() => selection.select(twice, '', neverDraws))).toEqual([true, true, false])
    expect([1, 2].map(() => selection.select({ ...all, times: 3 }, '', neverDraws))).toEqual([true, false])
  })
})

describe('with a key', () => {
  test('each of its values is counted by itself', () => {
    const selection = new Selection()
    const first = { ...all, key: 'Idempotency-Key', times: 1 }
    const keys = ['a', 'b', 'a', '', 'c', 'b', '', 'a']
    const acted = [true, true, false, true, true, false, false, false]
    expect(keys.map((key) => selection.select(first, key, neverDraws))).toEqual(acted)
  })

  test('long values are told apart by their last character', () => {
    const selection = new Selection()
    const first = { ...all, times: 1 }
    const long = 'x'.repeat(60_000)
    const keys = [`${long}a`, `${long}b`, `${long}a`, `${long}b`]
    expect(keys.map((key) => selection.select(first, key, neverDraws))).toEqual([true, true, false, false])
  })

  test('of more than 10,000 values the one that was not seen for longest is forgotten', () => {
    const selection = new Selection()
    const first = { ...all, times: 1 }
    const act = (key: number): boolean => selection.select(first, `key ${key}`, neverDraws)
    for (let key = 0; key < 10_000; key++) expect(act(key)).toBe(true)
    expect(act(0)).toBe(false) // known, and now the one seen last
    expect(act(10_000)).toBe(true) // one too many: key 1 goes
    expect(act(0)).toBe(false)
    expect(act(2)).toBe(false)
    expect(act(1)).toBe(true)
  })

  test('values take no more memory than a digest each', () => {
    const selection = new Selection()
    const before = process.memoryUsage().heapUsed
    // 5,000 heads of 60 KB: 300 MB if the pieces cut out of them kept them.
    for (let number = 0; number < 5000; number++) {
      const head = Buffer.alloc(60_000, `header ${number} `).toString('latin1')
      selection.select(all, head.slice(100, 140), neverDraws)
      selection.select(all, head.slice(0, 30_000), neverDraws)
    }
    // Without a call for the collector some of the heads may still be there, but not most of them.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150e6)
  })
})
