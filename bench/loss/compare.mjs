// Runs the model under the conditions of one measurement and says how far the two are apart.
import { linkAttributes, measuredBytes, measuredShape, measuredTimes } from './measured.mjs'
import { kolmogorovSmirnov, mean } from './statistics.mjs'
import { bulk, connect, exchange, EXCHANGES } from './workloads.mjs'

/** The measured bulk transfers had 4 to 8 connections, too few for a steady mean where nearly all is lost. */
const BULK_CONNECTIONS = 8

/**
 * @param {'pingpong' | 'resp100k' | 'connect'} workload
 * @param {number} runs how often the measured number of exchanges is simulated
 */
export function compareTimes(model, workload, cell, runs) {
  const attributes = linkAttributes(model.DEFAULT_LINK, cell)
  const measured = measuredTimes(workload, cell)
  const simulated = []
  for (let seed = 1; seed <= runs; seed++) {
    if (workload === 'connect') simulated.push(...connect(model, attributes, { connections: measured.length, seed }))
    else {
      const shape = measuredShape(workload, cell)
      simulated.push(...exchange(model, attributes, EXCHANGES[workload], { ...shape, seed }))
    }
  }
  return { simulated, measured, distance: kolmogorovSmirnov(simulated, measured) }
}

/** Mean bytes of a connection. */
export function compareBulk(model, cell, runs) {
  const attributes = linkAttributes(model.DEFAULT_LINK, cell)
  const measured = mean(measuredBytes(cell))
  const simulated = mean(bulk(model, attributes, { connections: BULK_CONNECTIONS * runs, seed: 1 }))
  return { simulated, measured, ratio: simulated / measured }
}
