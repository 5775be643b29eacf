import { describe, expect, test } from 'vitest'
import { Mistakes } from '../../../admin/config/mistakes.ts'
import type { Tolerance } from '../../../experiments/chaostoolkit/document.ts'
import { compilePath } from '../../../experiments/chaostoolkit/json-path.ts'
import { checkTolerance, compileTolerance } from '../../../experiments/chaostoolkit/tolerance.ts'
import { Values } from '../../../experiments/chaostoolkit/values.ts'

const values = new Values({ word: 'hello', field: 'baz' }, [])

function holds(tolerance: Tolerance, output: unknown): Promise<boolean> {
  return compileTolerance(tolerance, values)(output, () => Promise.reject(new Error('nothing to ask')))
}

/** What is wrong with it. */
function mistakes(tolerance: unknown): string[] {
  const found = new Mistakes()
  const isGood = checkTolerance(found, tolerance, 'tolerance', values)
  expect(isGood).toBe(found.errors.length === 0)
  return found.errors.map(({ message }) => message)
}

const answer = { status: 200, headers: {}, body: '{"foo": [{"baz": "hello"}, {"baz": "bonjour"}]}' }

test.each([
  ['true is true', true, true, true],
  ['true is not false', true, false, false],
  ['true is 1, as in Python', true, 1, true],
  ['a boolean does not look at a status', true, { status: true }, false],
  ['a text is the text', 'OK', 'OK', true],
  ['a text is not a part of it', 'OK', 'OK!', false],
  ['an integer is the integer', 8, 8, true],
  ['an integer is the status of an object', 200, answer, true],
  ['an integer is not another status', 200, { status: 503 }, false],
  ['an integer is not the text of it', 8, '8', false],
  ['two numbers are a range with its ends', [4, 9], 9, true],
  ['two numbers are a range', [4, 9], 9.5, false],
  ['two texts are a range', ['a', 'c'], 'b', true],
  ['two numbers are two statuses of an object', [200, 204], { status: 202 }, false],
  ['a status is one of two', [200, 204], { status: 204 }, true],
  ['three values are a set', [4, 9, 78], 9, true],
  ['three values are no range', [4, 9, 78], 10, false],
  ['what can not be compared is in no range', [4, 9], { a: 1 }, false],
] satisfies [string, Tolerance, unknown, boolean][])('%s', async (_name, tolerance, output, expected) => {
  expect(await holds(tolerance, output)).toBe(expected)
})

test('a regular expression is searched for in the text, or in a field of the output', async () => {
  expect(await holds({ type: 'regex', pattern: 'l{2}o' }, 'hello world')).toBe(true)
  expect(await holds({ type: 'regex', pattern: '^world' }, 'hello world')).toBe(false)
  expect(await holds({ type: 'regex', pattern: '^${word}$', target: 'stdout' }, { stdout: 'hello' })).toBe(true)
  expect(await holds({ type: 'regex', pattern: 'hello' }, answer)).toBe(false)
  // A field that there is not: the output as it is.
  expect(await holds({ type: 'regex', pattern: 'x', target: 'stdout' }, 'xx')).toBe(true)
})

test('a range takes numbers, also as texts', async () => {
  const range: Tolerance = { type: 'range', range: [4.6, 8.9] }
  expect(await holds(range, 4.6)).toBe(true)
  expect(await holds(range, ' 8.9\n')).toBe(true)
  expect(await holds(range, 9)).toBe(false)
  expect(await holds(range, 'five')).toBe(false)
  expect(await holds({ ...range, target: 'body' }, { body: '5' })).toBe(true)
})

test('a JSON path selects something, so many, or just these', async () => {
  const path: Tolerance = { type: 'jsonpath', path: '$.foo[*].baz', target: 'body' }
  expect(await holds(path, answer)).toBe(true)
  expect(await holds({ ...path, path: '$.bar' }, answer)).toBe(false)
  expect(await holds({ ...path, path: '$.foo[*].${field}', count: 2 }, answer)).toBe(true)
  expect(await holds({ ...path, count: 1 }, answer)).toBe(false)
  expect(await holds({ ...path, expect: ['hello', 'bonjour'] }, answer)).toBe(true)
  expect(await holds({ ...path, expect: ['bonjour', 'hello'] }, answer)).toBe(false)
  expect(await holds({ ...path, path: '$.foo[0].baz', expect: 'hello' }, answer)).toBe(true)
  expect(await holds({ ...path, path: '$.foo[0].baz', expect: null }, answer)).toBe(false)
  expect(await holds({ type: 'jsonpath', path: '$.status', expect: 200 }, answer)).toBe(true)
})

describe('JSON paths are those of jsonpath2', () => {
  const books = {
    book: [
      { author: 'Nigel Rees', price: 8.95 },
      { author: 'Evelyn "E" Waugh', price: 12.99, or: 1 },
      { author: 'Herman Melville', isbn: '0-553', price: 8.99 },
    ],
  }
  const select = (path: string): readonly unknown[] => compilePath(path, 'path')(books)
  const [rees, waugh, melville] = books.book

  test.each([
    ['$.book[*][?(@.isbn)]', [melville]],
    ['$.book.*[?(@.price < 9)].author', ['Nigel Rees', 'Herman Melville']],
    ['$..book[*][?(@.author = "Nigel Rees")]', [rees]],
    ['$.book[*][?(@.author = "Evelyn \\"E\\" Waugh")].price', [12.99]],
    ['$.book[*][?(@.isbn and @.price <= 9)].author', ['Herman Melville']],
    ['$.book[*][?(@.isbn or @.or = 1)]', [waugh, melville]],
    // `or` binds closer than `and`: (price < 9) and (isbn or or = 1).
    ['$.book[*][?(@.price < 9 and @.isbn or @.or = 1)]', [melville]],
    ['$.book[*][?((@.price < 9 and @.isbn) or @.or = 1)]', [waugh, melville]],
    // A filter is for the value that it stands behind: the list itself has no isbn.
    ['$.book[?(@.isbn)]', []],
    ['$[?(@.book)].book[-1].isbn', ['0-553']],
    // With these signs it can only be RFC 9535.
    ['$.book[?(@.author == "Nigel Rees")]', [rees]],
    ['$.book[?(@.isbn && @.price < 9)].price', [8.99]],
  ])('%s', (path, expected) => {
    expect(select(path)).toEqual(expected)
  })

  test('and what is none is refused as a whole', () => {
    expect(() => compilePath('$.book[', 'path')).toThrow('path: expected a JSON path as in RFC 9535, got "$.book["')
    expect(() => compilePath('foo[*].baz', 'path')).toThrow('path: expected a JSON path')
    expect(() => compilePath('$.book[*][?(@.price = $.least)]', 'path')).toThrow('look at the current value alone')
  })
})

test('what is no tolerance is refused', () => {
  expect(mistakes(0.5)).toEqual([
    'tolerance: expected an integer, or {type: range, range: [least, greatest]} for other numbers, got 0.5',
  ])
  expect(mistakes('yes')).toEqual(['tolerance: expected true or false: YAML 1.2 reads this word as a text, got "yes"'])
  expect(mistakes({ type: 'between' })).toEqual([
    'tolerance.type: expected regex, jsonpath, range or probe, got "between"',
  ])
  expect(mistakes({ type: 'range', range: [1] })).toEqual(['tolerance.range: expected a list of two numbers, got [1]'])
  expect(mistakes({ type: 'range' })).toEqual(['tolerance.range: missing, expected a list of two numbers'])
  expect(mistakes({ type: 'regex', pattern: 'a(?=b)' })).toEqual([
    expect.stringContaining('tolerance.pattern: expected a regular expression in RE2 syntax, got "a(?=b)"'),
  ])
  expect(mistakes({ type: 'jsonpath', path: '$[' })).toEqual([
    expect.stringContaining('tolerance.path: expected a JSON path as in RFC 9535, got "$["'),
  ])
  expect(mistakes({ type: 'jsonpath' })).toEqual(['tolerance.path: missing, expected a non-empty string'])
})
