// `protocol: postgres`: the protocol of PostgreSQL, version 3, with faults that client and server agree about.
import type { Protocol } from '../protocol.ts'
import { postgresOptions, prepareOptions, type PostgresOptions } from './options.ts'
import { PostgresSession } from './session.ts'

export const postgres: Protocol = {
  name: 'postgres',
  options: postgresOptions,
  prepare: prepareOptions,
  createSession: (host, options) => new PostgresSession(host, options as PostgresOptions),
}
