// Patterns of matches: what they match, what is refused, and that none can freeze the proxy.
import { describe, expect, test } from 'vitest'
import { isFaultlineError } from '../../../../proxy/index.ts'
import { compilePattern, type Pattern, type PatternStyle } from '../../../../proxy/pattern.ts'

function matching(pattern: Pattern, style: PatternStyle, texts: readonly string[]): string[] {
  const matches = compilePattern(pattern, style, 'match.x')
  return texts.filter(matches)
}

/** The message and field of the error. */
function refusal(pattern: Pattern, style: PatternStyle = 'text'): { field: string | undefined; message: string } {
  try {
    compilePattern(pattern, style, 'match.x')
  } catch (error) {
    if (isFaultlineError(error) && error.code === 'invalid_value') return { field: error.field, message: error.message }
    throw error
  }
  throw new Error('not refused')
}

describe('a text', () => {
  test('is exact', () => {
    expect(matching('/a.b', 'path', ['/a.b', '/axb', '/a.b/', '/A.b', 'x/a.b'])).toEqual(['/a.b'])
    expect(matching({ exact: '/a*' }, 'path', ['/a*', '/ab'])).toEqual(['/a*'])
  })

  test('with stars is a glob, in which all else means itself', () => {
    expect(matching('/v1/*', 'path', ['/v1/', '/v1/a', '/v1/a/b', '/v1', '/v2/a'])).toEqual(['/v1/', '/v1/a'])
    expect(matching('/v1/**', 'path', ['/v1/', '/v1/a/b', '/v1'])).toEqual(['/v1/', '/v1/a/b'])
    expect(matching('/*/orders', 'path', ['/a/orders', '//orders', '/a/b/orders'])).toEqual(['/a/orders', '//orders'])
    expect(matching('a.(b)*', 'text', ['a.(b)', 'a.(b)/c\nd', 'axb', 'ab'])).toEqual(['a.(b)', 'a.(b)/c\nd'])
    expect(matching({ glob: 'ab' }, 'path', ['ab', 'abc', 'cab'])).toEqual(['ab'])
  })

  test('between slashes is a regular expression, which may match anywhere', () => {
    expect(matching('/^/v[12]/x$/', 'path', ['/v1/x', '/v2/x', '/v3/x', '/v1/x/'])).toEqual(['/v1/x', '/v2/x'])
    expect(matching('/b+/', 'text', ['abbc', 'ac', 'B'])).toEqual(['abbc'])
    expect(matching('/b+/', 'contains', ['abbc', 'a'])).toEqual(['abbc'])
  })

  test('of style contains may be anywhere, and stars mean themselves', () => {
    expect(matching('a*b', 'contains', ['xa*bx', 'axb'])).toEqual(['xa*bx'])
    expect(matching({ glob: 'a*b' }, 'contains', ['a-b', 'xa-bx'])).toEqual(['a-b'])
    expect(matching({ exact: 'ab' }, 'contains', ['ab', 'xab'])).toEqual(['ab'])
  })

  test.each<Pattern>([
    'Example.COM',
    { exact: 'Example.COM' },
    'Ex*.COM',
    { glob: 'EXAMPLE.*' },
    '/^Example[.]C/',
    /^EXAM/,
  ])('of style caseless has no case: %j', (pattern) => {
    expect(matching(pattern, 'caseless', ['example.com', 'EXAMPLE.com', 'other.com'])).toEqual([
      'example.com',
      'EXAMPLE.com',
    ])
  })
})

describe('a regular expression', () => {
  test('has flags', () => {
    expect(matching({ regex: '^b', flags: 'im' }, 'text', ['a\nB', 'ab'])).toEqual(['a\nB'])
    expect(matching({ regex: 'a.b' }, 'text', ['a\nb', 'axb'])).toEqual(['axb'])
    expect(matching({ regex: 'a.b', flags: 's' }, 'text', ['a\nb', 'axb'])).toEqual(['a\nb', 'axb'])
    expect(matching(/A.B/isu, 'text', ['a\nb'])).toEqual(['a\nb'])
  })

  test('does not remember where it has been', () => {
    const matches = compilePattern({ regex: 'a' }, 'text', 'match.x')
    expect(['a', 'a', 'b', 'a'].map(matches)).toEqual([true, true, false, true])
  })

  test.each(['(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*)*x', '(?:a?){30}a{30}', '(a*)*b', '^(([a-z])+.)+[A-Z]([a-z])+$'])(
    'that would freeze a backtracking engine is fast: %s',
    (regex) => {
      const matches = compilePattern({ regex }, 'text', 'match.x')
      const text = `${'a'.repeat(65_536)}!`
      const start = performance.now()
      matches(text)
      // 64 KiB is the longest text there is. It takes milliseconds; by backtracking more than the age of the universe.
      expect(performance.now() - start).toBeLessThan(2000)
    },
  )

  test('of a megabyte of slashes as a glob is fast, too', () => {
    const matches = compilePattern('/**/a/**/b/**/c', 'path', 'match.x')
    const start = performance.now()
    expect(matches('/a/b'.repeat(250_000))).toBe(false)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('what can not work is refused, naming the field', () => {
  test.each<[Pattern, string, RegExp]>([
    [{ regex: '(' }, 'match.x.regex', /expected a regular expression in RE2 syntax, got "\("/],
    ['/(/', 'match.x', /expected a regular expression in RE2 syntax/],
    [/(?=a)b/, 'match.x', /expected a regular expression in RE2 syntax/], // RE2 has no lookaround
    [{ regex: '(a)\\1' }, 'match.x.regex', /expected a regular expression in RE2 syntax/],
    [{ regex: 'a', flags: 'gx' }, 'match.x.regex', /expected flags out of i, m, s, got "gx"/],
    [{ regex: 'a'.repeat(1001) }, 'match.x.regex', /expected a regular expression of at most 1000 characters/],
    [{ glob: 'a'.repeat(1001) }, 'match.x.glob', /expected a glob of at most 1000 characters/],
    [{ regex: 'a{1000}' }, 'match.x.regex', /expected a regular expression that is shorter or repeats less/],
    [{ regex: '((a{1,10}){1,10}){1,10}' }, 'match.x.regex', /repeats less/],
    [{ regex: '((a{100}){100}){100}' }, 'match.x.regex', /in RE2 syntax/],
    [`*${'a'.repeat(500)}`, 'match.x', /expected a glob that is shorter/],
  ])('%j', (pattern, field, message) => {
    expect(refusal(pattern)).toEqual({ field, message: expect.stringMatching(message) })
  })

  test('at once, also if it is made to be slow', () => {
    const start = performance.now()
    for (const regex of ['((a{100}){100}){100}', `${'(a?'.repeat(300)}${'){3}'.repeat(25)}`, '(((a{9}){9}){9}){9}']) {
      expect(() => compilePattern({ regex }, 'text', 'match.x')).toThrow(/expected a regular expression/)
    }
    expect(performance.now() - start).toBeLessThan(2000)
  })

  test.each([
    ['/orders/', '{"exact": "/orders/"} or {"regex": "orders"}'],
    ['/v1/*/', '{"glob": "/v1/*/"} or {"regex": "v1/*"}'],
    ['/*/', '{"glob": "/*/"} or {"regex": "*"}'],
    ['/**/x/', '{"glob": "/**/x/"} or {"regex": "**/x"}'],
  ])('a path that could be a regular expression by its slashes alone: %s', (pattern, expected) => {
    expect(refusal(pattern, 'path')).toEqual({
      field: 'match.x',
      message: `match.x: expected ${expected}, got "${pattern}": between slashes it could be either`,
    })
    // Headers and bodies are no paths.
    if (!pattern.includes('*')) expect(matching(pattern, 'text', ['my orders'])).toEqual(['my orders'])
  })

  test('but not a path with signs of a regular expression', () => {
    expect(matching('/orders/.*/', 'path', ['/orders/1', '/x/orders/'])).toEqual(['/orders/1', '/x/orders/'])
    expect(matching('//*x/', 'path', ['/x'])).toEqual(['/x'])
  })
})
