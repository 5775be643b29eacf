// Looking into the results of a run: one metric of one target over the rounds, and its ratios to a peer.

import { pairwiseRatio } from '../statistics.mjs'

/**
 * @typedef {object} ScenarioResult
 * @property {string} name
 * @property {string} title
 * @property {string} load
 * @property {import('../scenarios/scenario.mjs').Group[]} groups
 * @property {import('../scenarios/transparency.mjs').Finding[]} [findings] of a scenario that compares
 */

/**
 * @param {import('../scenarios/scenario.mjs').Group | undefined} group
 * @param {string} target
 * @param {string} metric
 * @returns {(number | null)[]} one value a round, empty when the target was not measured
 */
export function series(group, target, metric) {
  return (group?.samples[target] ?? []).map((sample) => sample?.[metric] ?? null)
}

/** The ratio of a target to a peer in one metric, as median, min and max over the rounds; null when not measured. */
export function ratio(group, target, peer, metric) {
  return pairwiseRatio(series(group, target, metric), series(group, peer, metric))
}

/** @param {ScenarioResult[]} results */
export function findGroup(results, scenario, group) {
  return results.find((result) => result.name === scenario)?.groups.find((each) => each.name === group)
}
