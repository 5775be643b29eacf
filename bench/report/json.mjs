// The results as JSON: every sample of every round, with the medians and ratios that the tables show.

import { summary } from '../statistics.mjs'
import { peers } from '../targets/index.mjs'
import { ratio, series } from './results.mjs'

/**
 * @typedef {object} Run
 * @property {object} machine
 * @property {import('../options.mjs').Options} options
 * @property {{ name: string, version?: string, missing?: string }[]} targets
 * @property {import('./results.mjs').ScenarioResult[]} scenarios
 * @property {import('./verdicts.mjs').Verdict[]} verdicts
 * @property {string[]} notes
 */

/** @param {Run} run @returns {string} */
export function jsonReport(run) {
  return `${JSON.stringify({ ...run, scenarios: run.scenarios.map(scenario) }, null, 2)}\n`
}

function scenario({ name, title, load, groups, findings }) {
  return { name, title, load, groups: groups.map(group), ...(findings !== undefined && { findings }) }
}

function group(one) {
  const targets = Object.keys(one.samples).map((target) => {
    return {
      name: target,
      metrics: Object.fromEntries(one.metrics.map(({ name }) => [name, metric(one, target, name)])),
    }
  })
  return { name: one.name, targets }
}

function metric(one, target, name) {
  const ratios = peers
    .filter((peer) => peer !== target)
    .map((peer) => [peer, ratio(one, target, peer, name)])
    .filter(([, value]) => value !== null)
  const rounds = series(one, target, name)
  return { ...(summary(rounds) ?? { median: null, min: null, max: null }), rounds, ratios: Object.fromEntries(ratios) }
}
