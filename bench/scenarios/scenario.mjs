// What a scenario is, and the running of all its targets side by side.

/**
 * @typedef {object} Scenario
 * @property {string} name as in --only
 * @property {string} title
 * @property {(target: import('../targets/target.mjs').Target) => boolean} takes which targets make sense in it
 * @property {() => Promise<string | null>} [missing] what it needs and this machine does not have; null when all is here
 * @property {(context: Context) => Promise<{ load: string, groups: Group[], findings?: import('./transparency.mjs').Finding[] }>} run need not stop what it starts
 *
 * @typedef {object} Context
 * @property {import('../options.mjs').Options} options
 * @property {import('../targets/target.mjs').Target[]} targets those that are here and that the scenario takes
 * @property {(message: string) => void} note something the reader of the results must know
 * @property {(message: string) => void} fail a note that also makes the exit code 1
 * @property {(message: string) => void} progress
 *
 * @typedef {object} Group one table
 * @property {string} name unique within the scenario; the verdicts refer to it
 * @property {Metric[]} metrics
 * @property {Record<string, (Record<string, number | null> | null)[]>} samples per target one sample a round
 *
 * @typedef {object} Metric
 * @property {string} name the key in a sample, with its unit last
 * @property {string} label
 * @property {number} digits after the point
 * @property {boolean} [compared] whether its ratios to the peers are shown
 */

/**
 * Starts the targets of a scenario, all at once, since an idle proxy costs nothing and a warm one is what we want to
 * measure. A target that does not start is left out and named. They end with the scenario, as all its children do.
 *
 * @param {Context} context
 * @param {import('../targets/target.mjs').Setting} setting
 * @returns {Promise<Map<string, import('../targets/target.mjs').RunningTarget>>} by name
 */
export async function startTargets({ targets, fail }, setting) {
  const running = new Map()
  for (const target of targets) {
    try {
      running.set(target.name, await target.start(setting))
    } catch (error) {
      fail(`${target.name} did not start: ${error.message}`)
    }
  }
  if (running.size === 0) throw new Error('none of its targets started')
  return running
}
