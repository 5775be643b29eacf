// Interleaved rounds: each round measures every target once, in an order that starts one further each time, so that
// slow phases of the machine and the position within a round fall on all targets alike.

/**
 * @template Sample
 * @param {object} plan
 * @param {string[]} plan.targets names
 * @param {number} plan.rounds
 * @param {(target: string, round: number) => Promise<Sample>} plan.measure
 * @param {(message: string) => void} plan.note told about measurements that failed
 * @returns {Promise<Record<string, (Sample | null)[]>>} per target one sample a round, null where it failed
 */
export async function interleave({ targets, rounds, measure, note }) {
  const samples = Object.fromEntries(targets.map((target) => [target, []]))
  for (let round = 0; round < rounds; round++) {
    for (const target of rotate(targets, round)) {
      try {
        samples[target].push(await measure(target, round))
      } catch (error) {
        samples[target].push(null)
        note(`${target}, round ${round + 1}: ${error.message}`)
      }
    }
  }
  return samples
}

/** The same list, beginning `by` places further. */
export function rotate(list, by) {
  const start = by % Math.max(1, list.length)
  return [...list.slice(start), ...list.slice(0, start)]
}
