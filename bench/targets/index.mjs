// The one list of targets, in the order of the tables.

import { direct } from './direct.mjs'
import { faultline, faultlineWithLatency0 } from './faultline.mjs'
import { faultlineHttp, faultlineHttpRule } from './faultline-http.mjs'
import { faultlinePostgres, faultlinePostgresPoll, faultlinePostgresRule } from './faultline-postgres.mjs'
import { haproxy, haproxyHttp } from './haproxy.mjs'
import { httpProxy } from './http-proxy.mjs'
import { naive } from './naive.mjs'
import { pgbouncer, pgbouncerTransaction } from './pgbouncer.mjs'
import { toxiproxy } from './toxiproxy.mjs'

/** @type {import('./target.mjs').Target[]} */
export const targets = [
  direct,
  faultline,
  faultlineWithLatency0,
  faultlineHttp,
  faultlineHttpRule,
  faultlinePostgres,
  faultlinePostgresRule,
  faultlinePostgresPoll,
  naive,
  haproxy,
  haproxyHttp,
  toxiproxy,
  httpProxy,
  pgbouncer,
  pgbouncerTransaction,
]

/** Those that every other target is compared with. */
export const peers = ['direct', 'naive', 'haproxy', 'toxiproxy', 'http-proxy', 'pgbouncer']
