// PgBouncer, which has one thread, in session pooling (a server connection for each client's) and in transaction pooling.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../children.mjs'
import { host } from '../network.mjs'
import { findProgram } from '../programs.mjs'
import { giveAway, missingAccount, withoutRoot } from '../upstreams/postgres-account.mjs'
import { database, superuser } from '../upstreams/postgres-upstream.mjs'
import { startListener } from './target.mjs'

/** @type {import('./target.mjs').Target} */
export const pgbouncer = target('pgbouncer', 'session')

/** @type {import('./target.mjs').Target} */
export const pgbouncerTransaction = target('pgbouncer-transaction', 'transaction')

function target(name, poolMode) {
  return {
    name,
    carries: 'postgres',
    injectsFaults: false,
    scenarios: ['postgres'],
    async find() {
      const found = await findProgram('pgbouncer')
      if (found === null) return { missing: 'pgbouncer is not on PATH' }
      const missing = await missingAccount()
      return missing === null ? found : { missing }
    },
    async start(setting) {
      const { path } = await findProgram('pgbouncer')
      const folder = temporaryFolder()
      giveAway(folder)
      const file = join(folder, 'pgbouncer.ini')
      const users = join(folder, 'users.txt')
      // Also those who are trusted have to be in it.
      writeFileSync(users, `"${superuser}" ""\n`)
      const command = await withoutRoot([path, file])
      return startListener((port) => {
        writeFileSync(file, configuration({ ...setting, port, poolMode, users }))
        return command
      })
    },
  }
}

function configuration({ upstreamPort, maxConnections, port, poolMode, users }) {
  return `[databases]
${database} = host=${host} port=${upstreamPort}
[pgbouncer]
listen_addr = ${host}
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = ${poolMode}
max_client_conn = ${maxConnections + 100}
default_pool_size = ${maxConnections}
log_connections = 0
log_disconnections = 0
server_tls_sslmode = disable
`
}
