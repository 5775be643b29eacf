// What Faultline aims at, held against a run.

import { bandwidthGroups } from '../scenarios/bandwidth.mjs'
import { postgresLoads } from '../scenarios/postgres.mjs'
import { requestsGroup } from '../scenarios/requests.mjs'
import { pairwise, summary } from '../statistics.mjs'
import { findGroup, ratio, series } from './results.mjs'

/**
 * @typedef {object} Verdict
 * @property {string} aim
 * @property {string} target
 * @property {number | null} value
 * @property {[min: number, max: number] | null} spread over the rounds
 * @property {number} digits to show
 * @property {boolean | null} met null when it was not measured
 *
 * @typedef {{ scenario: string, aim: string, digits: number, measure: Measure, holds: (value: number) => boolean }} Aim
 * @typedef {(results: import('./results.mjs').ScenarioResult[], target: string) => Summary | null} Measure
 * @typedef {{ median: number, min: number, max: number }} Summary
 */

const bothTargets = ['faultline', 'faultline+latency0']

/** @type {Aim[]} with no fault active, and with latency stages of 0 ms */
const costAims = [
  {
    scenario: 'requests',
    aim: 'CPU per request, 32 connections, ÷ naive ≤ 1.03',
    digits: 3,
    measure: ratioOf('requests', requestsGroup(32), 'cpuMicrosEach', 'naive'),
    holds: (value) => value <= 1.03,
  },
  {
    scenario: 'requests',
    aim: 'p50 at 1 connection, µs above naive ≤ 0',
    digits: 1,
    measure: addedP50AboveNaive,
    holds: (value) => value <= 0,
  },
  ...['up', 'down'].flatMap((direction) => [
    {
      scenario: 'bulk',
      aim: `CPU per GB ${direction} ÷ naive ≤ 0.9`,
      digits: 3,
      measure: ratioOf('bulk', direction, 'cpuMillisPerGigabyte', 'naive'),
      holds: (value) => value <= 0.9,
    },
    ...['naive', 'haproxy'].map((peer) => ({
      scenario: 'bulk',
      aim: `MB/s ${direction} ÷ ${peer} ≥ 1`,
      digits: 3,
      measure: ratioOf('bulk', direction, 'megabytesPerSecond', peer),
      holds: (value) => value >= 1,
    })),
  ]),
  {
    scenario: 'connections',
    aim: 'connections/s ÷ naive ≥ 1',
    digits: 3,
    measure: ratioOf('connections', 'all', 'perSecond', 'naive'),
    holds: (value) => value >= 1,
  },
  {
    scenario: 'idle',
    aim: 'KB an idle connection ≤ 12',
    digits: 2,
    measure: valueOf('idle', 'all', 'kilobytesPerConnection'),
    holds: (value) => value <= 12,
  },
]

/** @type {(Aim & { target: string })[]} what understanding HTTP may cost */
const httpAims = [
  httpAim('requests/s ÷ plain TCP ≥ 0.95', 'faultline-http', ratioOf('http', 'all', 'perSecond', 'faultline'), 0.95),
  httpAim('requests/s ÷ plain TCP ≥ 0.8', 'faultline-http+rule', ratioOf('http', 'all', 'perSecond', 'faultline'), 0.8),
  httpAim('requests/s ÷ http-proxy ≥ 3', 'faultline-http+rule', ratioOf('http', 'all', 'perSecond', 'http-proxy'), 3),
  {
    scenario: 'http',
    target: 'faultline-http+rule',
    aim: 'CPU µs a request ≤ 24',
    digits: 2,
    measure: valueOf('http', 'all', 'cpuMicrosEach'),
    holds: (value) => value <= 24,
  },
]

function httpAim(aim, target, measure, least) {
  return { scenario: 'http', target, aim, digits: 3, measure, holds: (value) => value >= least }
}

/** Nearer than this, the medians of two proxies do not tell which of them is faster: they are level. */
const level = 0.95

/** @type {(Aim & { target: string })[]} a statement rule shall cost no more than what people run anyway */
const postgresAims = ['faultline-postgres+rule', 'faultline-postgres+poll'].flatMap((target) =>
  postgresLoads.flatMap(({ name }) => [
    postgresAim(target, `transactions/s ÷ pgbouncer ≥ ${level} (level), ${name}`, name, 'pgbouncer', level),
    postgresAim(target, `transactions/s ÷ toxiproxy ≥ 1, ${name}`, name, 'toxiproxy', 1),
  ]),
)

function postgresAim(target, aim, group, peer, least) {
  const measure = ratioOf('postgres', group, 'perSecond', peer)
  const holds = (value) => value >= least
  return { scenario: 'postgres', target, aim, digits: 3, measure, holds }
}

/** @type {Aim[]} of the faults themselves */
const accuracyAims = [
  {
    scenario: 'latency',
    aim: 'latency of 50 ms: |median error| ≤ 1 ms',
    digits: 3,
    measure: valueOf('latency', 'all', 'medianErrorMs'),
    holds: (value) => Math.abs(value) <= 1,
  },
  {
    scenario: 'latency',
    aim: 'latency of 50 ms: p99 |error| ≤ 3 ms',
    digits: 3,
    measure: valueOf('latency', 'all', 'p99ErrorMs'),
    holds: (value) => value <= 3,
  },
  ...bandwidthGroups.map((group) => ({
    scenario: 'bandwidth',
    aim: `bandwidth of ${group}: measured ÷ asked within 2 %`,
    digits: 4,
    measure: valueOf('bandwidth', group, 'ofAsked'),
    holds: (value) => Math.abs(value - 1) <= 0.02,
  })),
]

/**
 * @param {import('./results.mjs').ScenarioResult[]} results
 * @returns {Verdict[]} for the scenarios that ran
 */
export function judge(results) {
  const ran = ({ scenario }) => results.some((result) => result.name === scenario)
  const cost = costAims.filter(ran).flatMap((aim) => bothTargets.map((target) => verdict(aim, results, target)))
  const accuracy = accuracyAims.filter(ran).map((aim) => verdict(aim, results, 'faultline'))
  const http = httpAims.filter(ran).map((aim) => verdict(aim, results, aim.target))
  const postgres = postgresAims.filter(ran).map((aim) => verdict(aim, results, aim.target))
  return [...cost, ...http, ...postgres, ...accuracy]
}

function verdict({ aim, digits, measure, holds }, results, target) {
  const measured = measure(results, target)
  if (measured === null) return { aim, target, value: null, spread: null, digits, met: null }
  const { median, min, max } = measured
  return { aim, target, value: median, spread: [min, max], digits, met: holds(median) }
}

function ratioOf(scenario, group, metric, peer) {
  return (results, target) => ratio(findGroup(results, scenario, group), target, peer, metric)
}

function valueOf(scenario, group, metric) {
  return (results, target) => summary(series(findGroup(results, scenario, group), target, metric))
}

// What both add to the direct way is in the difference of their p50s already: the direct way's cancels out.
function addedP50AboveNaive(results, target) {
  const group = findGroup(results, 'requests', requestsGroup(1))
  const p50 = (name) => series(group, name, 'p50Micros')
  return pairwise(p50(target), p50('naive'), (ours, naive) => ours - naive)
}
