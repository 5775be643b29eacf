// Runs a test file in a network of its own (Linux, network_namespaces(7)), where rules of the packet filter harm nobody.
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const INSIDE = 'FAULTLINE_TEST_NAMESPACE'

/** Whether this is such a run. */
export const insideNamespace = process.env[INSIDE] !== undefined

/** Without root's rights one gets them in a namespace of users. */
const enter = ['--net', ...(process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'])]

/**
 * The loopback device as a network is: packets of 1500 bytes, each by itself. Otherwise up to 64 KB pass it in one, and are
 * lost in one. Older programs don't know the second setting.
 */
const PREPARE = 'ip link set lo up mtu 1500 && { ip link set lo gso_max_segs 1 2>/dev/null || true; } && exec "$@"'

function commandLine(command: readonly string[]): string[] {
  return [...enter, '/bin/sh', '-c', PREPARE, 'sh', ...command]
}

/** Why there can be no such run; undefined if there can. */
export function whyNoNamespace(): string | undefined {
  const { error, status, stderr } = spawnSync('unshare', commandLine(['nft', 'list', 'tables']), { encoding: 'utf8' })
  if (error) return error.message
  return status === 0 ? undefined : stderr.trim()
}

/** Runs a test file inside. @throws with what vitest has written if a test has failed */
export async function runInside(file: string): Promise<void> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  const env = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'))
  const command = commandLine([process.execPath, vitest, 'run', '--maxWorkers=1', file])
  try {
    await promisify(execFile)('unshare', command, {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...Object.fromEntries(env), [INSIDE]: '1', NO_COLOR: '1' },
    })
  } catch (error) {
    const { message, stdout = '', stderr = '' } = error as Error & { stdout?: string; stderr?: string }
    // eslint-disable-next-line preserve-caught-error -- it would say all of it a second time
    throw new Error(`${stdout === '' ? message : stdout}\n${stderr}`)
  }
}

/** Runs nft in the present namespace; returns what it writes. */
export function nft(...args: string[]): string {
  return execFileSync('nft', args, { encoding: 'utf8' })
}
