// The log of `faultline serve`: JSON lines for programs (test/cli/serve.test.ts), lines for people on a terminal.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { MAIN } from './support.ts'

/** Gives a program a terminal. */
const hasScript = spawnSync('script', ['--version']).status === 0

const CTRL_C = String.fromCharCode(3)

test.skipIf(!hasScript).each([
  ['with colours', {}, /INFO\S*: \S*faultline started/, true],
  ['without them if NO_COLOR says so', { NO_COLOR: '1' }, /^\[[\d:.]+\] INFO: faultline started \{"host"/m, false],
])('on a terminal it is for people, %s, down to the last line', async (_name, extra, started, isColoured) => {
  const env = { PATH: process.env['PATH'] ?? '', TERM: 'xterm', SHELL: '/bin/sh', ...extra }
  const command = `exec ${process.execPath} ${MAIN} serve -port 0`
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void terminal.kill())
  const ended = once(terminal, 'exit')
  let shown = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  await expect.poll(() => shown, { timeout: 10_000 }).toMatch(started)
  terminal.stdin.write(CTRL_C)
  expect(await ended).toEqual([0, null])
  expect(shown).toMatch(/faultline stopped/)
  expect(shown.includes('\u001b[')).toBe(isColoured)
})
