// What people see: aligned columns, and colour where it belongs.
import { describe, expect, test } from 'vitest'
import { Output, printable } from '../../cli/output.ts'

class Recorder {
  readonly isTTY: boolean
  text = ''

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.text += text
  }
}

describe('colour', () => {
  test.each([
    ['on a terminal', true, {}, '\u001b[32mx\u001b[0m'],
    ['on a terminal with an empty NO_COLOR', true, { NO_COLOR: '' }, '\u001b[32mx\u001b[0m'],
    ['not on a terminal with NO_COLOR', true, { NO_COLOR: '1' }, 'x'],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, 'x'],
    ['not in a pipe', false, {}, 'x'],
  ])('%s', (_name, isTTY, env, expected) => {
    expect(new Output(new Recorder(isTTY), env).paint('green', 'x')).toBe(expected)
  })

  test('does not disturb the alignment of a table', () => {
    const stream = new Recorder(true)
    new Output(stream, {}).table([
      ['A', 'STATE', 'C'],
      ['1', { text: 'on', style: 'green' }, 'x'],
    ])
    expect(stream.text).toBe('A  STATE  C\n1  \u001b[32mon   \u001b[0m  x\n')
  })
})

test('columns are as wide as their widest cell, by characters', () => {
  const stream = new Recorder(false)
  new Output(stream, {}).table([
    ['größe', 'b'],
    ['😀', 'c'],
  ])
  expect(stream.text).toBe('größe  b\n😀      c\n')
})

test('control characters are shown, not sent', () => {
  expect(printable('a\u001b[31m\nb\u009b\u007fé')).toBe('a\\x1b[31m\\x0ab\\x9b\\x7fé')
})
