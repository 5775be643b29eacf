// The one list of scenarios, in the order in which they run.

import { bandwidth } from './bandwidth.mjs'
import { bulk } from './bulk.mjs'
import { connections } from './connections.mjs'
import { http } from './http.mjs'
import { idle } from './idle.mjs'
import { latency } from './latency.mjs'
import { postgres } from './postgres.mjs'
import { requests } from './requests.mjs'
import { transparency } from './transparency.mjs'

/** @type {import('./scenario.mjs').Scenario[]} */
export const scenarios = [requests, bulk, connections, http, postgres, idle, latency, bandwidth, transparency]
