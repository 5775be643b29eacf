// Runs a command as a user would, to its end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** The slowest takes 5 s. One that hangs has left something behind that keeps its process alive. */
const LIMIT_MS = 60_000

/** What runs, as functions that end it. */
const running = new Set()

for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
  process.once(signal, () => {
    for (const kill of running) kill()
    process.exit(code)
  })
}

/**
 * @returns what it printed
 * @throws Error with all that it printed when it fails, or does not end by itself
 */
export async function runToEnd(command, args, { cwd, env }) {
  // In a process group of its own: runners have processes of their own, which have to end with them.
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  running.add(kill)
  let hangs = false
  const limit = setTimeout(() => {
    hangs = true
    kill()
  }, LIMIT_MS)
  try {
    const [output, errors, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    if (code === 0) return output + errors
    const end = hangs ? `had not ended after ${LIMIT_MS} ms` : `ended with ${code ?? signal}`
    throw new Error(`${[command, ...args].join(' ')} ${end}:\n${output}${errors}`)
  } finally {
    clearTimeout(limit)
    running.delete(kill)
  }
}

/** Of this process, without what would change an example's ways. */
export function plainEnvironment(more) {
  const changing = /^(FAULTLINE_|NODE_OPTIONS|NODE_PATH|VITEST|npm_)/
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !changing.test(name))), ...more }
}
