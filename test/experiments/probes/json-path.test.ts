import { expect, test } from 'vitest'
import { compileJsonPath } from '../../../experiments/probes/json-path.ts'

const document = { users: [{ name: 'ann' }, { name: 'anna' }, { name: 'bob' }, { name: 7 }] }

test.each([
  ['$.users[0].name', ['ann']],
  ['$..name', ['ann', 'anna', 'bob', 7]],
  // match() is about all of a text, search() about a part: RFC 9535, sections 2.4.6 and 2.4.7.
  ["$.users[?match(@.name, 'an*')].name", ['ann']],
  ["$.users[?search(@.name, 'an*')].name", ['ann', 'anna']],
  ["$.users[?search(@.name, '(')].name", []],
])('%s', (path, selected) => {
  expect(compileJsonPath(path, 'path')(document)).toEqual(selected)
})

test('an expression that would take other engines years does not hold anything up', () => {
  const select = compileJsonPath("$[?match(@, '(a*)*b')]", 'path')
  expect(select(['a'.repeat(10_000)])).toEqual([])
})
